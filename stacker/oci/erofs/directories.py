"""Directories as blocks of sorted entries.

Called by `writer` at the end. The kernel looks a name up by binary search over the blocks, then
within one, comparing bytes; ``.`` and ``..`` are entries like the others and are sorted with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stacker.oci.erofs import format as disk
from stacker.oci.erofs import xattrs
from stacker.oci.erofs.nodes import Directory, Node


class Listing:
    """One directory, cut into blocks; where it goes is filled in by the writer."""

    __slots__ = ("area", "cuts", "directory", "entries", "first_block", "inline", "offset", "size")

    def __init__(self, directory: Directory, tail_max: int) -> None:
        entries: list[tuple[bytes, Node | Directory]] = list(directory.children.items())
        entries.append((b".", directory))
        entries.append((b"..", directory.parent))
        entries.sort(key=_name)
        self.directory = directory
        self.entries = entries
        self.area = xattrs.encode(directory.attributes.xattrs or {})
        self.cuts, last = _cut(entries)
        self.size = (len(self.cuts) - 2) * disk.BLOCK + last
        room = disk.BLOCK - disk.INODE_SIZE - len(self.area)
        self.inline = last if last <= min(tail_max, room) else 0
        self.first_block = 0
        self.offset = 0

    @property
    def blocks(self) -> int:
        """How many blocks of its own it has."""
        return len(self.cuts) - 1 - bool(self.inline)

    @property
    def subdirectories(self) -> int:
        return sum(isinstance(child, Directory) for child in self.directory.children.values())

    def block(self, index: int, number: Callable[[Node | Directory], int]) -> bytes:
        """One block's bytes; `number` knows the inode numbers."""
        return disk.dirents(
            [
                (name, number(node), disk.FILE_TYPES[node.format])
                for name, node in self.entries[self.cuts[index] : self.cuts[index + 1]]
            ]
        )

    def tail(self, number: Callable[[Node | Directory], int]) -> bytes:
        """The last block, when it is inlined."""
        return self.block(len(self.cuts) - 2, number) if self.inline else b""


def walk(root: Directory) -> Iterator[Directory]:
    """Every directory, parents first. Not recursive: an archive may nest as deep as it likes."""
    stack = [root]
    while stack:
        directory = stack.pop()
        yield directory
        stack += [child for child in directory.children.values() if isinstance(child, Directory)]


def _name(entry: tuple[bytes, Node | Directory]) -> bytes:
    return entry[0]


def _cut(entries: list[tuple[bytes, Node | Directory]]) -> tuple[list[int], int]:
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
