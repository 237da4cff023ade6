"""The base class of every model, and the words that several of them share.

Imported by every file of this package; imports nothing but pydantic.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Protocol = Literal["tcp", "udp"]

Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]

RestartCondition = Literal["no", "always", "on-failure", "unless-stopped"]

UNLIMITED = -1
"""For limits where the specification gives "no limit" a value of its own."""


class Model(BaseModel):
    """Frozen; refuses a field it does not know, so a stored stack of a later version is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


DEFAULT_IDS = 65536
"""Users and groups of a container that has its own: down to `nobody`, who is 65534."""


def own_ids(userns_mode: str | None) -> int | None:
    """How many ids of its own a container gets; None: the host's are its ids."""
    if userns_mode is None:
        return None

    size = userns_mode.partition("=")[2]
    return int(size) if size else DEFAULT_IDS


def shared_service(mode: str | None) -> str | None:
    """The service whose namespace a mode shares: ``service:db`` → ``db``."""
    if mode is None or not mode.startswith("service:"):
        return None

    return mode.removeprefix("service:")
