"""What the tar reader hands out: entries, holes, and its limits.

Called by `reader`, and by whoever consumes its events. Values only.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

NO_XATTRS: Mapping[bytes, bytes] = MappingProxyType({})


def _no_xattrs() -> Mapping[bytes, bytes]:
    return NO_XATTRS


class Kind(enum.Enum):
    """The types of entry that a layer may hold."""

    FILE = "regular file"
    LINK = "hard link"
    SYMLINK = "symbolic link"
    CHAR = "character device"
    BLOCK = "block device"
    DIRECTORY = "directory"
    FIFO = "fifo"


@dataclass(slots=True, kw_only=True)
class Entry:
    """One member of the archive, its header extensions already applied.

    Nobody changes one; freezing it would make the making three times as slow, and there are many.
    """

    name: bytes
    """As in the archive: may be absolute, hold ``..`` or end with a slash. Never empty, no NUL."""
    kind: Kind
    mode: int
    """Permission bits, setuid, setgid and sticky: 0o7777 at most."""
    uid: int
    gid: int
    size: int
    """Bytes of content, holes included; 0 for all but regular files."""
    mtime_ns: int
    target: bytes = b""
    """Of links: a path in the archive for hard links, any text for symbolic ones."""
    major: int = 0
    minor: int = 0
    xattrs: Mapping[bytes, bytes] = field(default_factory=_no_xattrs)


@dataclass(frozen=True, slots=True)
class Hole:
    """So many zero bytes of a sparse file's content."""

    size: int


Event: TypeAlias = Entry | memoryview | Hole
"""After an Entry come memoryviews and Holes that add up to its size, then the next Entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may cost before it is refused."""

    entries: int = 1_000_000
    name: int = 4096
    """PATH_MAX: no longer name can be made on Linux, nor a longer symlink."""
    pax: int = 1 << 20
    """Bytes of one pax or GNU header: the xattrs of a file can take 64 KiB, sparse maps more."""
    extensions: int = 16
    """pax and GNU headers in front of one entry."""
    sparse_parts: int = 1 << 20
    size: int = 1 << 40
    """Of one file's content, holes included."""
