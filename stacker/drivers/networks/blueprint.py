"""What is to be built for a sandbox, as data: pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stacker.base.id_range import IdRange
from stacker.plan.network_specs import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One pair of links: the endpoint inside, and where the other end is."""

    endpoint: Endpoint
    outside: str
    bridge: str
    mtu: int | None
    published: bool
    """Ports lead here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """All that is needed to make a sandbox."""

    name: str
    """The container's, for messages."""
    path: Path
    wires: tuple[Wire, ...]
    gateway: str | None
    """The way out; None: there is none."""
    sysctls: dict[str, str]
    ids: IdRange | None = None
    """Of the user namespace that owns it; None: the host's does."""
