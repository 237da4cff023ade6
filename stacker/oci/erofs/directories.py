"""Directories as blocks of sorted entries.

Called by `writer` at the end. The kernel looks a name up by binary search over the blocks, then
within one, comparing bytes; ``.`` and ``..`` are entries like the others and are sorted with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeAlias

from stacker.oci.erofs import format as disk
from stacker.oci.erofs import xattrs
from stacker.oci.erofs.nodes import Directory, Node

Entry: TypeAlias = tuple[bytes, Node | Directory]
Numbers: TypeAlias = Callable[[Node | Directory], int]


class Listing:
    """How much room one directory takes; where it goes is filled in by the writer.

    There may be a million at once, so the entries are sorted again when they are written.
    """

    __slots__ = ("area_size", "directory", "first_block", "inline", "offset", "size")

    def __init__(self, directory: Directory, tail_max: int) -> None:
        self.directory = directory
        self.area_size = len(self.area)
        cuts, last = _cut(_sorted(directory))
        self.size = (len(cuts) - 2) * disk.BLOCK + last
        room = disk.BLOCK - disk.INODE_SIZE - self.area_size
        self.inline = last if last <= min(tail_max, room) else 0
        self.first_block = 0
        self.offset = 0

    @property
    def area(self) -> bytes:
        """Its xattrs, encoded."""
        return xattrs.encode(self.directory.attributes.xattrs or {})

    @property
    def blocks(self) -> int:
        """How many blocks of its own it has."""
        return (self.size - self.inline + disk.BLOCK - 1) // disk.BLOCK

    @property
    def subdirectories(self) -> int:
        return sum(isinstance(child, Directory) for child in self.directory.children.values())

    def content(self, number: Numbers) -> Iterator[bytes]:
        """The bytes of its own blocks, one after the other; `number` knows the inode numbers."""
        if self.blocks:
            yield from _encoded(self.directory, number, slice(self.blocks))

    def tail(self, number: Numbers) -> bytes:
        """The last block, when it is inlined."""
        if not self.inline:
            return b""
        (tail,) = _encoded(self.directory, number, slice(self.blocks, None))
        return tail


def walk(root: Directory) -> Iterator[Directory]:
    """Every directory, parents first. Not recursive: an archive may nest as deep as it likes."""
    stack = [root]
    while stack:
        directory = stack.pop()
        yield directory
        stack += [child for child in directory.children.values() if isinstance(child, Directory)]


def _sorted(directory: Directory) -> list[Entry]:
    entries: list[Entry] = list(directory.children.items())
    entries.append((b".", directory))
    entries.append((b"..", directory.parent))
    entries.sort(key=_name)
    return entries


def _name(entry: Entry) -> bytes:
    return entry[0]


def _encoded(directory: Directory, number: Numbers, chosen: slice) -> Iterator[bytes]:
    """The chosen ones of all blocks, of which an inlined one is the last."""
    entries = _sorted(directory)
    cuts, _ = _cut(entries)
    for start, end in list(pairwise(cuts))[chosen]:
        yield disk.dirents(
            [
                (name, number(node), disk.FILE_TYPES[node.format])
                for name, node in entries[start:end]
            ]
        )


def _cut(entries: list[Entry]) -> tuple[list[int], int]:
    """The indexes at which blocks begin, with the end; and the bytes used in the last one."""
    cuts = [0]
    used = 0
    for index, (name, _) in enumerate(entries):
        size = disk.DIRENT_SIZE + len(name)
        if used + size > disk.BLOCK:
            cuts.append(index)
            used = 0
        used += size
    cuts.append(len(entries))
    return cuts, used
