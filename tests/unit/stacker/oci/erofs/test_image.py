"""What the writer writes, the reader reads; and the pieces of the format against known values."""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacker.base.errors import Corrupt
from stacker.oci.erofs import format as disk
from stacker.oci.erofs import xattrs
from stacker.oci.erofs.directories import Listing
from stacker.oci.erofs.nodes import Attributes, Directory, Node
from stacker.oci.erofs.reader import Image
from stacker.oci.erofs.writer import Writer, padding_before

FILE = stat.S_IFREG | 0o644
ROOT = Attributes(mode=stat.S_IFDIR | 0o755)


class Buffer(bytearray):
    """A sink that notices when something is written twice or left out."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.extend(data)

    def skip(self, size: int) -> None:
        self.extend(bytes(size))

    def patch(self, offset: int, data: bytes) -> None:
        assert offset + len(data) <= len(self)
        self[offset : offset + len(data)] = data


def directory(parent: Directory | None = None, attributes: Attributes = ROOT) -> Directory:
    return Directory(attributes, parent, listed=True)


def reading(buffer: bytearray) -> Callable[[int, int], memoryview]:
    view = memoryview(bytes(buffer))
    return lambda at, size: view[at : at + size]


def image(root: Directory, writer: Writer, buffer: Buffer) -> Image:
    assert writer.finish(root, bytes(16)) == len(buffer)
    assert len(buffer) % disk.BLOCK == 0
    return Image(reading(buffer))


def content(image: Image, number: int) -> bytes:
    return b"".join(image.content(image.inode(number)))


SIZES = st.one_of(
    st.integers(0, 10_000), st.sampled_from([2047, 2048, 2049, 4095, 4096, 4097, 6144, 6145, 8192])
)


@settings(deadline=None)
@given(st.lists(st.tuples(SIZES, st.integers(0, 3000), st.integers(1, 5000)), max_size=30))
def test_contents_of_every_size_beside_xattrs_of_every_size(files: list[Any]) -> None:
    buffer = Buffer()
    writer = Writer(buffer)
    root = directory()
    expected: dict[bytes, tuple[bytes, dict[bytes, bytes]]] = {}
    for index, (size, xattr_size, step) in enumerate(files):
        data = bytes((index + at) & 0xFF for at in range(size))
        attributes = {b"user.x": bytes(xattr_size)} if xattr_size else {}
        name = b"%d" % index
        node = writer.begin(Attributes(mode=FILE, xattrs=attributes), size)
        for at in range(0, size, step):
            writer.data(memoryview(data)[at : at + step])
        root.children[name] = node
        expected[name] = data, attributes
    found = image(root, writer, buffer)
    entries = found.entries(found.root)
    assert entries.keys() == expected.keys()
    for name, (data, attributes) in expected.items():
        inode = found.inode(entries[name])
        assert content(found, entries[name]) == data
        assert (inode.attributes.xattrs or {}) == attributes


@settings(deadline=None)
@given(st.sets(st.binary(min_size=1, max_size=255).filter(lambda n: b"\0" not in n), max_size=400))
def test_directories_are_sorted_across_their_blocks(names: set[bytes]) -> None:
    """The kernel finds a name by the first names of blocks: all of them must ascend."""
    names -= {b".", b".."}
    top = directory()
    top.children = dict.fromkeys(names, Node(FILE, 0))
    listing = Listing(top, 2048)
    blocks = list(listing.content(lambda _: 1))
    assert len(blocks) == listing.blocks
    if listing.inline:
        blocks.append(listing.tail(lambda _: 1))
        assert len(blocks[-1]) == listing.inline
    read = [name for block in blocks for name, _ in disk.parse_dirents(block)]
    assert read == sorted(names | {b".", b".."})
    assert all(0 < len(block) <= disk.BLOCK for block in blocks)
    assert listing.size == (len(blocks) - 1) * disk.BLOCK + len(blocks[-1])


def test_attributes_come_back() -> None:
    attributes = Attributes(
        mode=stat.S_IFREG | 0o6751,
        uid=4_294_967_294,
        gid=70_000,
        mtime_ns=-1_234_567_890_123_456_789,
        xattrs={b"user.a": b"\0\xff", b"security.capability": b"cap", b"trusted.x": b""},
    )
    buffer = Buffer()
    writer = Writer(buffer)
    root = directory()
    root.children[b"f"] = writer.add(attributes, content=b"x")
    found = image(root, writer, buffer)
    assert found.inode(found.entries(found.root)[b"f"]).attributes == attributes


def test_links_are_counted_and_deep_trees_written() -> None:
    buffer = Buffer()
    writer = Writer(buffer)
    root = at = directory()
    node = writer.add(Attributes(mode=FILE))
    for _ in range(1500):
        at.children[b"f"] = node
        at.children[b"d"] = at = directory(at)
    found = image(root, writer, buffer)
    number = found.entries(found.root)[b"f"]
    (links,) = struct.unpack_from("<I", buffer, number * disk.SLOT + disk.NLINK_OFFSET)
    assert links == 1500


def test_holes_are_zeros() -> None:
    buffer = Buffer()
    writer = Writer(buffer)
    root = directory()
    root.children[b"f"] = writer.begin(Attributes(mode=FILE), 10_000)
    writer.hole(5000)
    writer.data(memoryview(b"x" * 10))
    writer.hole(4990)
    found = image(root, writer, buffer)
    data = content(found, found.entries(found.root)[b"f"])
    assert data == bytes(5000) + b"x" * 10 + bytes(4990)


def test_contents_that_do_not_fit_their_announcement() -> None:
    for announced, given_ in ((10, 11), (5000, 5001), (10, 9), (5000, 4999), (8192, 8193)):
        writer = Writer(Buffer())
        writer.begin(Attributes(mode=FILE), announced)
        with pytest.raises(Corrupt, match="than its header says"):  # noqa: PT012
            writer.data(memoryview(bytes(given_)))
            writer.finish(directory(), bytes(16))


def test_the_same_tree_is_the_same_bytes() -> None:
    def build() -> bytes:
        buffer = Buffer()
        writer = Writer(buffer)
        root = directory()
        for index in range(50):
            root.children[b"%d" % index] = writer.add(Attributes(mode=FILE), content=b"c" * index)
        writer.finish(root, b"u" * 16)
        return bytes(buffer)

    assert build() == build()


def test_the_superblock() -> None:
    buffer = Buffer()
    Writer(buffer).finish(directory(), bytes(range(16)))
    fields = struct.unpack_from("<IIIBBHQ", buffer, disk.SUPER_OFFSET)
    magic, checksum, compat, block_bits, _, root, inodes = fields
    assert (magic, compat, block_bits, root, inodes) == (0xE0F5E1E2, 3, 12, 36, 1)
    assert buffer[disk.SUPER_OFFSET + 48 : disk.SUPER_OFFSET + 64] == bytes(range(16))
    incompatible = struct.unpack_from("<I", buffer, disk.SUPER_OFFSET + 80)
    assert incompatible == (0,), "Linux 5.10 knows no feature but one, and we need none"
    block = buffer[disk.SUPER_OFFSET : disk.BLOCK]
    block[4:8] = bytes(4)
    assert disk.crc32c(block) == checksum


def test_crc32c() -> None:
    # RFC 3720 B.4 gives the inverted values
    assert disk.crc32c(bytes(32)) ^ 0xFFFFFFFF == 0x8A9136AA
    assert disk.crc32c(b"\xff" * 32) ^ 0xFFFFFFFF == 0x62A8AB43


def test_devices() -> None:
    assert disk.device(1, 3) == 0x103
    assert disk.device(8, 300) == 0x10082C
    assert disk.device(4095, (1 << 20) - 1) == 0xFFFFFFFF


@given(st.integers(0, 100_000), st.integers(64, 70_000))
def test_inodes_are_aligned_and_cross_no_block(end: int, size: int) -> None:
    start = end + padding_before(end, size)
    assert start % disk.SLOT == 0
    assert start >= end
    if size <= disk.BLOCK:
        assert start // disk.BLOCK == (start + size - 1) // disk.BLOCK
    else:
        assert start % disk.BLOCK == 0
    assert start - end < disk.BLOCK + disk.SLOT


NAMES = st.one_of(
    st.sampled_from([b"system.posix_acl_access", b"system.posix_acl_default"]),
    st.tuples(
        st.sampled_from([b"user.", b"trusted.", b"security."]), st.binary(min_size=1, max_size=200)
    ).map(b"".join),
)


@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=10))
def test_xattrs_come_back(attributes: dict[bytes, bytes]) -> None:
    area = xattrs.encode(attributes)
    assert len(area) % 4 == 0
    assert xattrs.decode(area) == attributes
    assert all(xattrs.storable(name) for name in attributes)


@pytest.mark.parametrize(
    "attributes",
    [
        {b"other.x": b""},
        {b"user.": b""},
        {b"system.posix_acl_access.x": b""},
        {b"user.x": bytes(70_000)},
        {b"user.%d" % number: bytes(60_000) for number in range(3)},
    ],
)
def test_xattrs_that_cannot_be_stored(attributes: dict[bytes, bytes]) -> None:
    with pytest.raises(Corrupt):
        xattrs.encode(attributes)


def test_root_xattrs_that_do_not_fit() -> None:
    attributes = Attributes(mode=stat.S_IFDIR | 0o755, xattrs={b"user.x": bytes(3000)})
    with pytest.raises(Corrupt, match="beside the superblock"):
        Writer(Buffer()).finish(directory(attributes=attributes), bytes(16))


@given(st.data())
def test_damaged_images_are_corrupt_and_nothing_else(data: st.DataObject) -> None:
    buffer = Buffer()
    writer = Writer(buffer)
    root = directory()
    for index in range(200):
        attributes = Attributes(mode=FILE, xattrs={b"user.x": b"y"})
        root.children[b"name %d" % index] = writer.add(attributes, content=bytes(index * 30))
    writer.finish(root, bytes(16))
    for _ in range(20):
        at = data.draw(st.integers(disk.SUPER_OFFSET, len(buffer) - 1))
        buffer[at] = data.draw(st.integers(0, 255))
    try:
        found = Image(reading(buffer))
        for number in found.entries(found.root).values():
            for _ in found.content(found.inode(number)):
                pass
    except Corrupt:
        pass
