"""Writing archives: the same entries give the same bytes, whoever writes them and when.

Headers are ustar; what does not fit stands in a pax header before them (pax(1), "pax Extended
Header"): long names, large numbers, times with a fraction, xattrs. Names are written as the bytes
they are, which every reader takes that does not insist on UTF-8.
"""

from __future__ import annotations

import struct

from stacker.oci.tar.entry import Entry, Kind

BLOCK = 512
END = bytes(2 * BLOCK)
"""Two blocks of zeros end an archive."""

_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_FLAGS = {
    Kind.FILE: b"0",
    Kind.LINK: b"1",
    Kind.SYMLINK: b"2",
    Kind.CHAR: b"3",
    Kind.BLOCK: b"4",
    Kind.DIRECTORY: b"5",
    Kind.FIFO: b"6",
}
_NAME = 100
_ID_MAX = 0o7777777
_LARGE_MAX = 0o77777777777


def header(entry: Entry) -> bytes:
    """What stands before the content of an entry; a directory's name ends with a slash."""
    name = entry.name
    if entry.kind is Kind.DIRECTORY and not name.endswith(b"/"):
        name += b"/"
    records = _records(entry, name)
    before = b""
    if records:
        payload = b"".join(_record(key, records[key]) for key in sorted(records))
        base = name.rstrip(b"/").rpartition(b"/")[2][:80]
        before = _block(b"PaxHeaders.0/" + base, flag=b"x", mode=0o644, size=len(payload))
        before += payload + padding(len(payload))
    return before + _block(
        name[:_NAME],
        flag=_FLAGS[entry.kind],
        mode=entry.mode,
        uid=_small(entry.uid, _ID_MAX),
        gid=_small(entry.gid, _ID_MAX),
        size=_small(entry.size, _LARGE_MAX),
        mtime=_small(entry.mtime_ns // 10**9, _LARGE_MAX),
        target=entry.target[:_NAME],
        major=entry.major,
        minor=entry.minor,
    )


def padding(size: int) -> bytes:
    """What stands behind content of this size."""
    return bytes(-size % BLOCK)


def _records(entry: Entry, name: bytes) -> dict[bytes, bytes]:
    records = {b"SCHILY.xattr." + key: value for key, value in entry.xattrs.items()}
    if len(name) > _NAME:
        records[b"path"] = name
    if len(entry.target) > _NAME:
        records[b"linkpath"] = entry.target
    for key, value, largest in (
        (b"uid", entry.uid, _ID_MAX),
        (b"gid", entry.gid, _ID_MAX),
        (b"size", entry.size, _LARGE_MAX),
    ):
        if value > largest:
            records[key] = str(value).encode()
    seconds, fraction = divmod(abs(entry.mtime_ns), 10**9)
    if fraction or not 0 <= entry.mtime_ns <= _LARGE_MAX * 10**9:
        sign = "-" if entry.mtime_ns < 0 else ""
        digits = f"{fraction:09}".rstrip("0")
        records[b"mtime"] = f"{sign}{seconds}{'.' if digits else ''}{digits}".encode()
    return records


def _record(key: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE\\n`, where the length counts its own digits too."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest)
    while length != (whole := len(rest) + len(str(length))):
        length = whole
    return str(length).encode() + rest


def _small(value: int, largest: int) -> int:
    """The number where it fits; else zero, and a pax record says it."""
    return value if 0 <= value <= largest else 0


def _block(
    name: bytes,
    *,
    flag: bytes,
    mode: int,
    size: int,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 0,
    target: bytes = b"",
    major: int = 0,
    minor: int = 0,
) -> bytes:
    fields = (
        name, b"%07o" % mode, b"%07o" % uid, b"%07o" % gid, b"%011o" % size, b"%011o" % mtime,
        b" " * 8, flag, target, b"ustar\x0000", b"", b"", b"%07o" % major, b"%07o" % minor, b"",
    )  # fmt: skip
    block = _HEADER.pack(*fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
