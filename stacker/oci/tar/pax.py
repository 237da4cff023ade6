"""pax extended headers: records in, a dictionary and xattrs out.

Called by `reader` for an 'x' header's payload. Later records of a key replace earlier ones, but
for the pairs of sparse format 0.0, whose order is the data.
"""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from dataclasses import dataclass, field

from stacker.base.errors import Corrupt

_SCHILY = b"SCHILY.xattr."
_LIBARCHIVE = b"LIBARCHIVE.xattr."
_SPARSE_PAIR = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
_NO_NUL = frozenset((b"path", b"linkpath", b"GNU.sparse.name"))
_LENGTH_DIGITS = 8  # a header is at most 1 MiB


@dataclass(slots=True)
class Pax:
    """The records in front of one entry."""

    records: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    xattrs: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    sparse_pairs: list[bytes] = field(default_factory=list[bytes])
    """Offset, length, offset, length ... of sparse format 0.0, as text."""


def parse(payload: bytes, into: Pax) -> None:
    """Adds the records of one header: ``"%d %s=%s\\n"`` each, the length counting itself."""
    position, end = 0, len(payload)
    while position < end:
        space = payload.find(b" ", position, position + _LENGTH_DIGITS + 1)
        digits = payload[position:space] if space > 0 else b""
        if not digits.isdigit():
            raise Corrupt("pax header: a record has no length")
        stop = position + int(digits)
        equals = payload.find(b"=", space + 1, stop)
        if stop > end or equals < 0 or payload[stop - 1] != 0x0A or stop - 1 < equals:
            raise Corrupt("pax header: a record is malformed")
        _record(payload[space + 1 : equals], payload[equals + 1 : stop - 1], into)
        position = stop


def _record(key: bytes, value: bytes, into: Pax) -> None:
    if not key or b"\0" in key:
        raise Corrupt("pax header: a record has no key")
    if key.startswith(_SCHILY):
        into.xattrs[_xattr_name(key[len(_SCHILY) :])] = value
    elif key.startswith(_LIBARCHIVE):
        name = _xattr_name(urllib.parse.unquote_to_bytes(key[len(_LIBARCHIVE) :]))
        into.xattrs.setdefault(name, _base64(value))
    elif key in _SPARSE_PAIR:
        if key != _SPARSE_PAIR[len(into.sparse_pairs) % 2]:
            raise Corrupt("pax header: the sparse map is malformed")
        into.sparse_pairs.append(value)
    elif key in _NO_NUL and b"\0" in value:
        raise Corrupt(f"pax header: {key.decode()} holds a NUL")
    elif value:
        into.records[key] = value
    else:
        # POSIX pax: an empty value takes an earlier record back
        into.records.pop(key, None)


def _xattr_name(name: bytes) -> bytes:
    # XATTR_NAME_MAX; a longer or empty one crashed the unpacker of apple/container (GHSA-g3rx)
    if not 0 < len(name) <= 255 or b"\0" in name:
        raise Corrupt(f"pax header: xattr name {name[:64]!r} is not valid")
    return name


def _base64(value: bytes) -> bytes:
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error as error:
        raise Corrupt("pax header: an xattr is not base64") from error
