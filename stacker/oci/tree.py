"""How a tree becomes the archive of a layer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeOptions:
    overlay: bool = False
    """It is the upper directory of an overlay."""
    latest_ns: int | None = None
    """No file is newer than this: SOURCE_DATE_EPOCH."""
    owner: tuple[int, int] | None = None
    """User and group of all files; None: those that they have."""
    mount_points: Collection[bytes] = field(default_factory=frozenset[bytes])
    """Places that are left out where they are empty: a container's engine has made them."""
