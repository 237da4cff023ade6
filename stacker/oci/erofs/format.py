"""The structures on disk, as linux/fs/erofs/erofs_fs.h lays them out. Little endian throughout.

Called by `writer`, `directories` and `reader`. Packing only: no decision about where things go.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

BLOCK = 4096
SUPER_OFFSET = 1024
SLOT = 32
"""An inode's number is its byte offset from the metadata start (here: 0) in units of this."""

INODE_SIZE = 64
ROOT_OFFSET = SUPER_OFFSET + 128
"""The root inode follows the superblock: its number has but 16 bits there."""

FLAT_PLAIN = 0
FLAT_INLINE = 2
"""The last, partial block follows the inode and its xattrs, in the same block as they."""

NAME_MAX = 255

MAGIC = 0xE0F5E1E2
_COMPAT = 0x1 | 0x2  # SB_CHKSUM, MTIME: inodes carry mtime where the format once had ctime
_SUPER = struct.Struct("<IIIBBHQQIIII16s16sIHHHBBIQ24x")
_INODE = struct.Struct("<HHHHQIIIIQII16x")
_DIRENT = struct.Struct("<QHBx")
DIRENT_SIZE = _DIRENT.size

FILE_TYPES = {
    0o100000: 1,
    0o040000: 2,
    0o020000: 3,
    0o060000: 4,
    0o010000: 5,
    0o140000: 6,
    0o120000: 7,
}
"""S_IFMT bits to the FT_ number of a directory entry."""


def inode(
    *, layout: int, xattr_size: int, mode: int, size: int, union: int, number: int,
    uid: int, gid: int, mtime_ns: int, nlink: int,
) -> bytes:  # fmt: skip
    """An extended inode. `union` is the first block of data, or the device number."""
    seconds, nanoseconds = divmod(mtime_ns, 10**9)
    # the count is of 4-byte words, of which the 12-byte header is the first
    xattr_count = (xattr_size - 12) // 4 + 1 if xattr_size else 0
    return _INODE.pack(
        1 | layout << 1, xattr_count, mode, 0, size, union, number, uid, gid,
        seconds & 0xFFFFFFFFFFFFFFFF, nanoseconds, nlink,
    )  # fmt: skip


NLINK_OFFSET = 44
"""Of the link count within an extended inode."""


def device(major: int, minor: int) -> int:
    """The kernel's new_encode_dev()."""
    return (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12


def device_numbers(rdev: int) -> tuple[int, int]:
    """Major and minor of what `device` has made."""
    return rdev >> 8 & 0xFFF, (rdev & 0xFF) | (rdev >> 12 & ~0xFF)


def superblock_block(*, blocks: int, inodes: int, uuid: bytes, after: bytes) -> bytes:
    """Block 0: the superblock, then `after` (the root inode and its xattrs), with its checksum."""
    head = _SUPER.pack(
        MAGIC, 0, _COMPAT, BLOCK.bit_length() - 1, 0, ROOT_OFFSET // SLOT, inodes, 0, 0, blocks,
        0, 0, uuid, bytes(16), 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    body = bytearray((head + after).ljust(BLOCK - SUPER_OFFSET, b"\0"))
    # the kernel (5.4 and later) sums the rest of the block with the field zeroed
    struct.pack_into("<I", body, 4, crc32c(body))
    return bytes(SUPER_OFFSET) + body


def dirents(entries: Sequence[tuple[bytes, int, int]]) -> bytes:
    """One directory block: (name, inode number, file type) in order, all fixed parts first."""
    heads = bytearray()
    offset = len(entries) * DIRENT_SIZE
    for name, number, file_type in entries:
        heads += _DIRENT.pack(number, offset, file_type)
        offset += len(name)
    return bytes(heads) + b"".join([entry[0] for entry in entries])


def superblock_fields(data: memoryview) -> tuple[int, int]:
    """The magic number and the root's inode number."""
    fields = _SUPER.unpack(data)
    return fields[0], fields[5]


def inode_fields(data: memoryview) -> tuple[int, int, int, int, int, int, int, int, int]:
    """Format, xattr count, mode, size, union, uid, gid, seconds (signed), nanoseconds."""
    form, xattr_count, mode, _, size, union, _, uid, gid, seconds, nanoseconds, _ = _INODE.unpack(
        data
    )
    if seconds >> 63:
        seconds -= 1 << 64
    return form, xattr_count, mode, size, union, uid, gid, seconds, nanoseconds


def parse_dirents(block: bytes) -> Iterator[tuple[bytes, int]]:
    """Names and inode numbers of one directory block; struct.error when it is malformed."""
    _, first_name, _ = _DIRENT.unpack_from(block)
    heads = list(_DIRENT.iter_unpack(block[:first_name]))
    ends = [head[1] for head in heads[1:]] + [len(block)]
    for (number, start, _), end in zip(heads, ends, strict=True):
        # the last name of a full block is followed by zeros
        yield block[start:end].rstrip(b"\0"), number


def _crc_table() -> list[int]:
    table: list[int] = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc_table()


def crc32c(data: bytes | bytearray) -> int:
    """As the kernel's crc32c(~0, data): no final inversion."""
    crc = 0xFFFFFFFF
    table = _CRC
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc
