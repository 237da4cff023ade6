"""Extended attributes as they follow an inode on disk.

Called by `writer` and `reader`. The namespace prefix is a number there, so only the namespaces that
have one can be stored.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from stacker.base.errors import Corrupt

_PREFIXES = (
    (b"user.", 1),
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"trusted.", 4),
    (b"security.", 6),
)
_BY_INDEX = {index: prefix for prefix, index in _PREFIXES}
_IBODY_HEADER = bytes(12)  # no name filter (Linux 6.6), no shared attributes
_ENTRY = struct.Struct("<BBH")
_LIST_MAX = 65536  # XATTR_LIST_MAX, and XATTR_SIZE_MAX of one value


def encode(xattrs: Mapping[bytes, bytes]) -> bytes:
    """The inline area: a multiple of four bytes, empty when there are none."""
    if not xattrs:
        return b""
    body = bytearray(_IBODY_HEADER)
    for name in sorted(xattrs):
        value = xattrs[name]
        index, suffix = _split(name)
        if len(value) >= _LIST_MAX:
            raise Corrupt(f"xattr {name!r}: {len(value)} bytes")
        body += _ENTRY.pack(len(suffix), index, len(value)) + suffix + value
        body += bytes(-len(body) % 4)
    if len(body) > 2 * _LIST_MAX:
        raise Corrupt("xattrs of one file: more than the kernel allows")
    return bytes(body)


def storable(name: bytes) -> bool:
    """Whether the format has a number for this name's namespace."""
    return any(_matches(name, prefix) for prefix, _ in _PREFIXES)


def decode(body: bytes) -> dict[bytes, bytes]:
    """The other way; the caller has bounded `body`. Shared attributes are not ours to find."""
    found: dict[bytes, bytes] = {}
    at = len(_IBODY_HEADER) + 4 * body[4] if body else 0
    while at + _ENTRY.size <= len(body):
        length, index, size = _ENTRY.unpack_from(body, at)
        start = at + _ENTRY.size
        value_at = start + length
        prefix = _BY_INDEX.get(index)
        if prefix is not None:
            found[prefix + body[start:value_at]] = body[value_at : value_at + size]
        at = value_at + size
        at += -at % 4
    return found


def _matches(name: bytes, prefix: bytes) -> bool:
    if prefix.endswith(b"."):
        return name.startswith(prefix) and len(name) > len(prefix)
    return name == prefix


def _split(name: bytes) -> tuple[int, bytes]:
    for prefix, index in _PREFIXES:
        if _matches(name, prefix):
            return index, name[len(prefix) :]
    raise Corrupt(f"xattr {name!r}: no such namespace")
