"""Reading the attributes of a netlink message without decoding all of them.

A link has seventy attributes, of which three are wanted; pyroute2 decodes them all, which takes
a hundred times as long.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK: without the nested and byte order flags


def attributes(data: memoryview, offset: int) -> dict[int, memoryview]:
    """Return the attributes that follow a fixed header, by type; the last one of a type wins."""
    found: dict[int, memoryview] = {}
    while offset + _HEADER.size <= len(data):
        length, kind = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            break
        found[kind & _TYPE_MASK] = data[offset + _HEADER.size : offset + length]
        offset += length + (-length % 4)
    return found


def text(value: memoryview | None) -> str:
    return "" if value is None else bytes(value).rstrip(b"\0").decode("utf-8", "replace")


def number(value: memoryview | None) -> int:
    """A number in the machine's byte order, of whatever size; 0 when it is absent."""
    return 0 if value is None else int.from_bytes(value, "little" if _LITTLE else "big")


_LITTLE = struct.pack("=H", 1) == b"\1\0"
