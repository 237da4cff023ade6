"""The tree that an image is written from: directories by name, everything else by its place.

Called by `writer`, and by `changeset`, which builds it. What is not a directory is written when
it is seen and remembered as a few words, so that a tree of a million files stays small in memory.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(slots=True, kw_only=True)
class Attributes:
    """What stat(2) and listxattr(2) tell of an inode. Nobody changes one; as `tar.Entry`."""

    mode: int
    """With its S_IFMT bits."""
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    xattrs: Mapping[bytes, bytes] | None = None


class Node:
    """An inode that is not a directory. Several names may share it."""

    __slots__ = ("format", "links", "place", "target")

    def __init__(self, mode: int, place: int, target: bytes = b"") -> None:
        self.format = stat.S_IFMT(mode)
        self.place = place
        """Where the writer put it; its to interpret."""
        self.target = target
        """Of a symlink: what a path that leads through it is resolved with."""
        self.links = 0
        """Names found for it, counted when the image is finished."""


class Directory:
    """A directory, written last of all because only then its entries are known."""

    __slots__ = ("attributes", "children", "hidden", "listed", "opaque", "parent", "place")

    format = stat.S_IFDIR

    def __init__(self, attributes: Attributes, parent: Directory | None, *, listed: bool) -> None:
        self.attributes = attributes
        self.parent = parent or self
        self.children: dict[bytes, Node | Directory] = {}
        self.listed = listed
        """False when only a path through it says that it exists."""
        self.opaque = False
        """Nothing of lower layers shows in it."""
        self.hidden: set[bytes] | None = None
        """The names in it that whiteouts take away from lower layers."""
        self.place = 0


Name: TypeAlias = tuple[Directory, bytes]
"""A name in a directory."""
