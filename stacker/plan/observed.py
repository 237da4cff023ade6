"""What was seen: a snapshot of reality, taken before planning, so that the planner asks nobody.

The engine fills these from the drivers (``engine/observe.py``); the planner only reads them. A
value that could not be read is None, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from stacker.plan.network_specs import Endpoint, PublishedPort


class Status(StrEnum):
    """The status of a container as the OCI runtime specification's lifecycle has it.

    ``created``: everything but the process is there. ``exited``: the process has ended (the
    specification's *stopped*, under the name that users of docker and podman know).
    """

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"


class Health(StrEnum):
    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended."""

    code: int | None
    """128 + signal for a killed process; None when no witness knows (never a guessed 0)."""
    at: float
    """Seconds since the epoch."""
    oom: bool = False
    signal: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedContainer:
    """One container of one stack: what its record says, and what the kernel says of it now."""

    id: str
    name: str
    stack: str
    service: str
    index: int
    """1 for the first replica."""
    fingerprint: str
    """What it was made from (plan.fingerprint); differs from the desired one: recreate."""
    image_id: str
    status: Status
    pid: int | None = None
    start_time: int | None = None
    """Of that process, in clock ticks since boot: no clock that is set changes who came first."""
    created_at: float = 0.0
    started_at: float | None = None
    """Seconds since the epoch, of the latest start."""
    exit: Exit | None = None
    """Of the latest process that ended."""
    restarts: int = 0
    """Automatic restarts since the container was created or started by hand."""
    failures: int = 0
    """Restarts in a row that did not stay up: what the back-off grows with."""
    stopped_by_user: bool = False
    health: Health = Health.NONE
    health_detail: str = ""
    """The latest failing probe's output, one line."""
    problem: str | None = None
    """Why it must be repaired although its process runs, e.g. ``veth is gone``."""
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    image: str = ""
    """The reference that the stack file gives."""
    joined: frozenset[str] = frozenset()
    """Ids of the containers whose namespaces it shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedNetwork:
    """One network that stacker made, or a host bridge that an ``external`` network names."""

    name: str
    """The name on the host: ``project_key`` or the ``name:`` of the stack file."""
    stack: str
    key: str
    fingerprint: str
    bridge: str
    subnet: str
    gateway: str
    problem: str | None = None
    """Why it must be repaired, e.g. ``bridge is gone``; None when it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedVolume:
    name: str
    stack: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedImage:
    reference: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that the planner may know about one stack, at one moment."""

    containers: tuple[ObservedContainer, ...] = ()
    networks: tuple[ObservedNetwork, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    images: dict[str, ObservedImage] = field(default_factory=dict[str, ObservedImage])
    """By the reference that the stack file uses."""
    contents: dict[str, str] = field(default_factory=dict[str, str])
    """Digest of each config's and secret's content, by ``configs.KEY`` and ``secrets.KEY``."""
