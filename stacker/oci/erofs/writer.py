"""The streaming writer: inodes and contents as they come, directories and superblock at the end.

Called with the entries of an archive in their order. All bytes go to the sink in one forward
motion, except for a few patches at the end: the superblock's block, and the link counts of hard
linked files. Contents of more than a block's tail go straight through; inodes with the small files
and tails that follow them are collected into chunks of metadata, which stand between the contents.
"""

from __future__ import annotations

import struct
from typing import Protocol

from stacker.base.errors import Corrupt
from stacker.oci.erofs import format as disk
from stacker.oci.erofs import xattrs
from stacker.oci.erofs.directories import Listing, walk
from stacker.oci.erofs.nodes import Attributes, Directory, Name, Node

_TAIL_MAX = 2048
"""A longer tail gets a block of its own: inlining it would waste as much in padding."""
_CHUNK = 1 << 20
_CHUNK_SHIFT = 32
_OFFSET = (1 << _CHUNK_SHIFT) - 1


class Sink(Protocol):
    """Where the image goes. Buffers may be kept: the writer does not touch them again."""

    def write(self, buffer: bytes | bytearray | memoryview) -> None:
        """Appends."""
        ...

    def skip(self, size: int) -> None:
        """Appends so many zero bytes, which may be a hole."""
        ...

    def patch(self, offset: int, data: bytes) -> None:
        """Overwrites what stands at `offset`."""
        ...


class TreeWriter(Protocol):
    """What takes a tree: `Writer`, or what makes real files of it, and wants to know `at` what
    name an inode comes to be, if at one, and that another takes it there later."""

    @property
    def size(self) -> int: ...
    def add(
        self,
        attributes: Attributes,
        *,
        content: bytes = b"",
        rdev: int = 0,
        at: Name | None = None,
    ) -> Node: ...
    def begin(self, attributes: Attributes, size: int, at: Name | None = None) -> Node: ...
    def replaced(self, node: Node, at: Name) -> None: ...
    def data(self, view: memoryview) -> None: ...
    def hole(self, size: int) -> None: ...
    def finish(self, root: Directory, uuid: bytes) -> int: ...


class Writer:
    """Call `add` and `begin` in any order, each file's content in full, then `finish`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._position = disk.BLOCK
        sink.skip(disk.BLOCK)
        self._meta = bytearray()
        self._bases: list[int] = []
        self._count = 0
        self._left = 0  # of the open file: bytes that go straight to the sink
        self._tail_left = 0
        self._tail = bytearray()
        self._open: tuple[Node, Attributes, bytes, int, int] | None = None

    @property
    def size(self) -> int:
        """Bytes of the image so far."""
        return self._position + len(self._meta)

    # -- what is not a directory -------------------------------------------------------------

    def add(
        self,
        attributes: Attributes,
        *,
        content: bytes = b"",
        rdev: int = 0,
        at: Name | None = None,
    ) -> Node:
        """A symlink with its target, a device, a FIFO, or a file that is in memory."""
        area = xattrs.encode(attributes.xattrs or {})
        if len(content) > _TAIL_MAX or disk.INODE_SIZE + len(area) + len(content) > disk.BLOCK:
            node = self.begin(attributes, len(content))
            self.data(memoryview(content))
            return node
        return Node(attributes.mode, self._place(attributes, area, len(content), rdev, content))

    def begin(self, attributes: Attributes, size: int, at: Name | None = None) -> Node:
        """A file whose content follows through `data` and `hole`, `size` bytes in all."""
        area = xattrs.encode(attributes.xattrs or {})
        node = Node(attributes.mode, 0)
        tail = size % disk.BLOCK
        if tail > _TAIL_MAX or disk.INODE_SIZE + len(area) + tail > disk.BLOCK:
            tail = 0
        if len(self._meta) >= _CHUNK:
            self._flush()
        self._open = (node, attributes, area, size, self._position // disk.BLOCK)
        self._left, self._tail_left = size - tail, tail
        if not size:
            self._close()
        return node

    def replaced(self, node: Node, at: Name) -> None:
        """Its bytes stay where they are."""

    def data(self, view: memoryview) -> None:
        """The next bytes of the open file; never more than it was announced with."""
        length = len(view)
        if length <= self._left:
            self._sink.write(view)
            self._left -= length
            self._position += length
        else:
            if self._left:
                self._sink.write(view[: self._left])
                self._position += self._left
            self._tail += view[self._left :]
            self._tail_left -= length - self._left
            self._left = 0
        if self._left <= 0 >= self._tail_left:
            self._close()

    def hole(self, size: int) -> None:
        """So many zero bytes."""
        taken = min(size, self._left)
        self._sink.skip(taken)
        self._left -= taken
        self._position += taken
        self._tail += bytes(size - taken)
        self._tail_left -= size - taken
        if self._left <= 0 >= self._tail_left:
            self._close()

    def _close(self) -> None:
        if self._open is None or self._tail_left < 0:
            raise Corrupt("file content is longer than its header says")
        node, attributes, area, size, first = self._open
        self._open = None
        padding = -self._position % disk.BLOCK
        if padding:
            self._sink.write(bytes(padding))
            self._position += padding
        node.place = self._place(attributes, area, size, first, bytes(self._tail))
        self._tail.clear()

    def _place(
        self, attributes: Attributes, area: bytes, size: int, union: int, tail: bytes
    ) -> int:
        """Appends an inode to the metadata; returns (chunk, offset in it)."""
        if len(self._meta) >= _CHUNK and self._open is None:
            self._flush()
        self._count += 1
        head = disk.inode(
            layout=disk.FLAT_INLINE if tail else disk.FLAT_PLAIN,
            xattr_size=len(area), mode=attributes.mode, size=size, union=union, number=self._count,
            uid=attributes.uid, gid=attributes.gid, mtime_ns=attributes.mtime_ns, nlink=1,
        )  # fmt: skip
        padding = padding_before(len(self._meta), disk.INODE_SIZE + len(area) + len(tail))
        self._meta += bytes(padding)
        place = len(self._bases) << _CHUNK_SHIFT | len(self._meta)
        self._meta += head + area + tail
        return place

    def _flush(self) -> None:
        if not self._meta:
            return
        self._meta += bytes(-len(self._meta) % disk.BLOCK)
        self._bases.append(self._position)
        self._sink.write(self._meta)
        self._position += len(self._meta)
        self._meta = bytearray()

    # -- the end -----------------------------------------------------------------------------

    def finish(self, root: Directory, uuid: bytes) -> int:
        """Writes the directories and the superblock; returns the image's size in bytes."""
        if self._open is not None:
            raise Corrupt("file content is shorter than its header says")
        self._flush()
        listings = [Listing(directory, _TAIL_MAX) for directory in walk(root)]
        self._arrange(listings)
        shared, nodes = _count_links(listings)
        top = self._directory(listings[0])
        self._write_directories(listings[1:])
        for each in listings:
            for block in each.content(self._number):
                self._append(block)
        for node in shared:
            at = self._number(node) * disk.SLOT + disk.NLINK_OFFSET
            self._sink.patch(at, struct.pack("<I", node.links))
        first = disk.superblock_block(
            blocks=self._position // disk.BLOCK,
            inodes=nodes + len(listings),
            uuid=uuid,
            after=top,
        )
        self._sink.patch(0, first)
        return self._position

    def _arrange(self, listings: list[Listing]) -> None:
        """Gives every directory its place: inodes first, then the blocks of the larger ones."""
        root = listings[0]
        root.directory.place = disk.ROOT_OFFSET
        if disk.ROOT_OFFSET + disk.INODE_SIZE + root.area_size + root.inline > disk.BLOCK:
            root.inline = 0
        if disk.ROOT_OFFSET + disk.INODE_SIZE + root.area_size > disk.BLOCK:
            raise Corrupt("/: more xattrs than fit beside the superblock")
        end = 0
        for each in listings[1:]:
            size = disk.INODE_SIZE + each.area_size + each.inline
            each.offset = end + padding_before(end, size)
            each.directory.place = self._position + each.offset
            end = each.offset + size
        block = (self._position + end + disk.BLOCK - 1) // disk.BLOCK
        for each in listings:
            each.first_block = block
            block += each.blocks

    def _write_directories(self, listings: list[Listing]) -> None:
        """Their inodes, in the places that they have been given."""
        start = self._position
        inodes = bytearray()
        for each in listings:
            inodes += bytes(start + each.offset - self._position - len(inodes))
            inodes += self._directory(each)
            if len(inodes) >= _CHUNK:
                self._sink.write(inodes)
                self._position += len(inodes)
                inodes = bytearray()
        self._append(inodes)

    def _directory(self, each: Listing) -> bytes:
        """A directory's inode, with its xattrs and inlined entries."""
        self._count += 1
        attributes = each.directory.attributes
        head = disk.inode(
            layout=disk.FLAT_INLINE if each.inline else disk.FLAT_PLAIN,
            xattr_size=each.area_size, mode=attributes.mode, size=each.size,
            union=each.first_block, number=self._count, uid=attributes.uid, gid=attributes.gid,
            mtime_ns=attributes.mtime_ns, nlink=2 + each.subdirectories,
        )  # fmt: skip
        return head + each.area + each.tail(self._number)

    def _number(self, node: Node | Directory) -> int:
        if isinstance(node, Directory):
            return node.place // disk.SLOT
        chunk, offset = node.place >> _CHUNK_SHIFT, node.place & _OFFSET
        return (self._bases[chunk] + offset) // disk.SLOT

    def _append(self, data: bytes | bytearray) -> None:
        """The last bytes of a block."""
        self._sink.write(data)
        self._position += len(data)
        padding = -self._position % disk.BLOCK
        if padding:
            self._sink.write(bytes(padding))
            self._position += padding


def padding_before(end: int, size: int) -> int:
    """Bytes to leave out so that an inode of `size` bytes, inlined data included, is aligned and
    crosses no block; one that is larger than a block (its xattrs) begins one."""
    start = end + -end % disk.SLOT
    if start % disk.BLOCK + size > disk.BLOCK:
        start += -start % disk.BLOCK
    return start - end


def _count_links(listings: list[Listing]) -> tuple[list[Node], int]:
    """The nodes with more than one name, and how many nodes there are at all."""
    shared: list[Node] = []
    count = 0
    for each in listings:
        for child in each.directory.children.values():
            if isinstance(child, Directory):
                continue
            child.links += 1
            if child.links == 1:
                count += 1
            elif child.links == 2:
                shared.append(child)
    return shared, count
