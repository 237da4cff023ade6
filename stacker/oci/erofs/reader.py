"""Looking things up in an image that `writer` has made: inodes, directories, contents.

Called to complete a layer from the ones below it (`complete`). Reads extended, uncompressed inodes
and nothing else; bytes that are not where they should be are Corrupt, not an IndexError.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from stacker.base.errors import Corrupt
from stacker.oci.erofs import format as disk
from stacker.oci.erofs import xattrs
from stacker.oci.erofs.nodes import Attributes

_EXTENDED = 1
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """One inode, its xattrs decoded."""

    number: int
    attributes: Attributes
    size: int
    first_block: int
    """Of what is not inlined; of a device, its number."""
    tail_at: int
    """Where inlined data starts; 0 when there is none."""

    @property
    def format(self) -> int:
        return stat.S_IFMT(self.attributes.mode)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.attributes.mode)

    @property
    def is_whiteout(self) -> bool:
        return stat.S_ISCHR(self.attributes.mode) and self.first_block == 0

    def xattr(self, name: bytes) -> bytes | None:
        return (self.attributes.xattrs or {}).get(name)


class Tree(Protocol):
    """What is looked things up in: `Image`, or a directory of real files."""

    @property
    def root(self) -> Inode: ...
    def inode(self, number: int) -> Inode: ...
    def content(self, inode: Inode) -> Iterator[memoryview]: ...
    def entries(self, directory: Inode) -> dict[bytes, int]: ...


class Image:
    """An image, in memory or in a file."""

    def __init__(self, read: Callable[[int, int], memoryview]) -> None:
        """`read` gives so many bytes from a place on, or fewer where the image ends."""
        self._read = read
        magic, root = disk.superblock_fields(self._bytes(disk.SUPER_OFFSET, 128))
        if magic != disk.MAGIC:
            raise Corrupt("not an EROFS image")
        self._root = root
        self._directories: dict[int, dict[bytes, int]] = {}

    @property
    def root(self) -> Inode:
        return self.inode(self._root)

    def inode(self, number: int) -> Inode:
        at = number * disk.SLOT
        (
            form, xattr_count, mode, size, union, uid, gid, seconds, nanoseconds,
        ) = disk.inode_fields(self._bytes(at, disk.INODE_SIZE))  # fmt: skip
        if form & 1 != _EXTENDED:
            raise Corrupt(f"EROFS inode {number}: not in the extended form")
        xattr_size = 12 + 4 * (xattr_count - 1) if xattr_count else 0
        area = bytes(self._bytes(at + disk.INODE_SIZE, xattr_size)) if xattr_size else b""
        inline = form >> 1 & 7 == disk.FLAT_INLINE
        return Inode(
            number=number,
            attributes=Attributes(
                mode=mode,
                uid=uid,
                gid=gid,
                mtime_ns=seconds * 10**9 + nanoseconds,
                xattrs=xattrs.decode(area) if area else None,
            ),
            size=size,
            first_block=union,
            tail_at=at + disk.INODE_SIZE + xattr_size if inline else 0,
        )

    def content(self, inode: Inode) -> Iterator[memoryview]:
        """The data of a file, symlink or directory, in pieces."""
        tail = inode.size % disk.BLOCK if inode.tail_at else 0
        start = inode.first_block * disk.BLOCK
        end = start + inode.size - tail
        for at in range(start, end, _PIECE):
            yield self._bytes(at, min(_PIECE, end - at))
        if tail:
            yield self._bytes(inode.tail_at, tail)

    def entries(self, directory: Inode) -> dict[bytes, int]:
        """Names and inode numbers, without ``.`` and ``..``."""
        found = self._directories.get(directory.number)
        if found is None:
            found = dict(self._entries(directory))
            found.pop(b".", None)
            found.pop(b"..", None)
            self._directories[directory.number] = found
        return found

    def _entries(self, directory: Inode) -> Iterator[tuple[bytes, int]]:
        data = b"".join(self.content(directory))
        for start in range(0, len(data), disk.BLOCK):
            try:
                yield from disk.parse_dirents(data[start : start + disk.BLOCK])
            except (struct.error, ValueError) as error:
                raise Corrupt(f"EROFS directory {directory.number}: malformed") from error

    def _bytes(self, at: int, size: int) -> memoryview:
        found = self._read(at, size)
        if len(found) != size:
            raise Corrupt("EROFS image: shorter than its metadata says")
        return found
