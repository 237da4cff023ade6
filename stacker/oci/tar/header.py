"""One header block, and the extensions that stood in front of it, as an Entry.

Called by `reader`. Knows where the fields are and which of several sources of a value wins:
pax over GNU long names over the header itself.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from stacker.base.errors import Corrupt
from stacker.oci.tar import sparse
from stacker.oci.tar.entry import NO_XATTRS, Entry, Kind, Limits
from stacker.oci.tar.numbers import (
    ID_MAX,
    decimal,
    header_time,
    number,
    owner,
    pax_time,
    unsigned,
)
from stacker.oci.tar.pax import Pax

_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_CHECKSUM = slice(148, 156)
_MAJOR_MAX, _MINOR_MAX = (1 << 12) - 1, (1 << 20) - 1  # Linux's dev_t

_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,  # contiguous: a hint for file systems that are gone
    b"S": Kind.FILE,
    b"1": Kind.LINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHAR,
    b"4": Kind.BLOCK,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
}


@dataclass(slots=True)
class Extensions:
    """What pax and GNU headers said about the entry that follows them."""

    pax: Pax | None = None
    name: bytes | None = None
    target: bytes | None = None
    count: int = 0


@dataclass(slots=True)
class Stored:
    """How the content of an entry stands in the archive. Nobody changes one; as `Entry`."""

    size: int
    parts: sparse.Map | None = None
    """The map of a sparse file, so far as the header has it; None for a plain file."""
    more: bool = False
    """Old GNU: extension blocks with more of the map follow the header."""
    leading: bool = False
    """Format 1.0: the map is the first part of what is stored."""


NOTHING = Stored(0)
NO_RECORDS: dict[bytes, bytes] = {}


def checksum_holds(block: bytes) -> bool:
    """The sum of all bytes, the checksum's own counted as spaces.

    adler32's lower half is one more than the sum modulo 65521, which 256 bytes cannot reach: two
    of them are the exact sum, ten times as fast as sum().
    """
    low = zlib.adler32(block[:256]) & 0xFFFF
    high = zlib.adler32(block[256:]) & 0xFFFF
    field = block[_CHECKSUM]
    found = low + high - 2 - sum(field) + 8 * 0x20
    try:
        stated = number(field)
    except Corrupt:
        return False
    if found == stated:
        return True
    # historic writers added signed chars
    high_bytes = sum(byte > 0x7F for byte in block[: _CHECKSUM.start] + block[_CHECKSUM.stop :])
    return stated == found - 256 * high_bytes


def decode(block: bytes, extensions: Extensions, limits: Limits) -> tuple[Entry, Stored]:
    """The entry that this block begins."""
    (
        name, mode, uid, gid, size, mtime, _, flag, target, magic, _, _, major, minor, prefix,
    ) = _HEADER.unpack(block)  # fmt: skip
    kind = _KINDS.get(flag)
    if kind is None:
        raise Corrupt(f"tar header: entry type {flag!r} is not known")
    name, target = _names(name, target, magic, prefix, extensions)
    if flag == b"\0" and name.endswith(b"/"):
        kind = Kind.DIRECTORY
    pax = extensions.pax
    records = pax.records if pax else NO_RECORDS
    stored, file_size = NOTHING, 0
    if kind is Kind.FILE:
        stored, file_size = _content(block, flag, size, pax, limits)
        name = records.get(b"GNU.sparse.name", name) if stored.parts is not None else name
    has_target = kind is Kind.LINK or kind is Kind.SYMLINK
    if not name or len(name) > limits.name:
        raise Corrupt(f"tar header: a name of {len(name)} bytes")
    if has_target and (not target or len(target) >= limits.name):
        raise Corrupt(f"tar header: {name!r}: a link target of {len(target)} bytes")
    is_device = kind is Kind.CHAR or kind is Kind.BLOCK
    time = records.get(b"mtime")
    entry = Entry(
        name=name,
        kind=kind,
        mode=number(mode) & 0o7777,
        uid=decimal(records[b"uid"], ID_MAX, "uid") if b"uid" in records else owner(uid, "uid"),
        gid=decimal(records[b"gid"], ID_MAX, "gid") if b"gid" in records else owner(gid, "gid"),
        size=file_size,
        mtime_ns=header_time(mtime) if time is None else pax_time(time),
        target=target if has_target else b"",
        major=unsigned(major, _MAJOR_MAX, "major") if is_device else 0,
        minor=unsigned(minor, _MINOR_MAX, "minor") if is_device else 0,
        xattrs=pax.xattrs if pax and pax.xattrs else NO_XATTRS,
    )
    return entry, stored


def _names(
    name: bytes, target: bytes, magic: bytes, prefix: bytes, extensions: Extensions
) -> tuple[bytes, bytes]:
    name = name.split(b"\0", 1)[0]
    target = target.split(b"\0", 1)[0]
    # old GNU headers ("ustar  ") keep times and sparse maps where POSIX has the prefix
    if magic[:6] == b"ustar\0" and prefix[0]:
        name = prefix.split(b"\0", 1)[0] + b"/" + name
    if extensions.name is not None:
        name = extensions.name
    if extensions.target is not None:
        target = extensions.target
    if extensions.pax:
        records = extensions.pax.records
        return records.get(b"path", name), records.get(b"linkpath", target)
    return name, target


def _content(
    block: bytes, flag: bytes, field: bytes, pax: Pax | None, limits: Limits
) -> tuple[Stored, int]:
    """How the content is stored, and the size of the file."""
    records = pax.records if pax else NO_RECORDS
    if b"size" in records:
        size = decimal(records[b"size"], limits.size, "size")
    else:
        size = unsigned(field, limits.size, "size")
    if flag == b"S":
        real = unsigned(block[483:495], limits.size, "sparse size")
        parts = sparse.old_gnu(block, 386, sparse.OLD_IN_HEADER)
        return Stored(size, parts, more=bool(block[482])), real
    if not pax:
        return Stored(size), size
    if records.get(b"GNU.sparse.major") == b"1":
        real = decimal(records.get(b"GNU.sparse.realsize", b""), limits.size, "sparse size")
        return Stored(size, [], leading=True), real
    if pax.sparse_pairs or b"GNU.sparse.map" in records:
        texts = pax.sparse_pairs or records[b"GNU.sparse.map"].split(b",")
        real = decimal(records.get(b"GNU.sparse.size", b""), limits.size, "sparse size")
        return Stored(size, sparse.from_numbers(texts)), real
    return Stored(size), size
