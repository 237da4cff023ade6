"""What a user declared with ``up``: enough to load the stack again when a file changes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The stack files, and what they are read against."""

    files: tuple[str, ...]
    """Absolute paths, in the order in which they are merged."""
    working_dir: str
    environment: dict[str, str] = field(default_factory=dict[str, str])
    """What interpolation may use. Only the names that the files refer to are stored."""
    project: str | None = None
    profiles: tuple[str, ...] = ()
    locked: bool = False
    """With the images of the lock file beside the first file."""
    watch: bool = False
    """Apply the files again whenever one of them is saved."""
