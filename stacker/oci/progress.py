"""How far a pull or push is: one event a step of a blob, for progress bars and `--json`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PullState(StrEnum):
    RESOLVING = "resolving"
    WAITING = "waiting"
    DOWNLOADING = "downloading"
    RETRYING = "retrying"
    UNPACKING = "unpacking"
    """A layer whose compressed bytes are here is made from them."""
    PRESENT = "present"
    """Nothing had to be fetched."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    reference: str
    layer: str
    """The layer's digest; empty for the image as a whole."""
    state: PullState
    current: int = 0
    """Bytes so far."""
    total: int = 0
    note: str = ""
    """Why it waits: the error that is being retried."""


class PushState(StrEnum):
    WAITING = "waiting"
    UPLOADING = "uploading"
    RETRYING = "retrying"
    PRESENT = "present"
    """The registry had it."""
    MOUNTED = "mounted"
    """The registry had it in another repository."""
    SKIPPED = "skipped"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushProgress:
    reference: str
    blob: str
    """The digest of the blob; empty for the image as a whole."""
    state: PushState
    current: int = 0
    """Bytes so far."""
    total: int = 0
    note: str = ""
    """Why it waits, or was left out."""
