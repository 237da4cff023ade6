"""The maps of sparse files: old GNU headers, and pax formats 0.0, 0.1 and 1.0.

Called by `reader`. A map is a list of (offset, length) of the stored parts; it is checked once, in
`checked`, so that the reader may walk it without asking again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from stacker.base.errors import Corrupt
from stacker.oci.tar.numbers import decimal, unsigned

Map: TypeAlias = list[tuple[int, int]]

_SIZE = (1 << 63) - 1
_OLD_STRUCT = 24
OLD_IN_HEADER = 4
OLD_IN_EXTENSION = 21


def old_gnu(block: bytes, start: int, count: int) -> Map:
    """The structs in an 'S' header (4 at 386) or one of its extension blocks (21 at 0)."""
    parts: Map = []
    for at in range(start, start + count * _OLD_STRUCT, _OLD_STRUCT):
        if not block[at]:
            break
        offset = unsigned(block[at : at + 12], _SIZE, "sparse offset")
        parts.append((offset, unsigned(block[at + 12 : at + 24], _SIZE, "sparse length")))
    return parts


def from_numbers(texts: Sequence[bytes]) -> Map:
    """Formats 0.0 and 0.1: offset, length, offset, length ... as decimal text."""
    if len(texts) % 2:
        raise Corrupt("pax header: the sparse map is malformed")
    numbers = [decimal(text, _SIZE, "sparse map") for text in texts]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


class LeadingMap:
    """Format 1.0: the map stands in front of the content, decimal lines padded to 512 bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._text = bytearray()
        self._newlines = 0
        self._expected: int | None = None

    def feed(self, block: bytes) -> Map | None:
        """Takes the next 512 bytes; returns the map once it is whole."""
        self._text += block
        self._newlines += block.count(b"\n")
        if self._expected is None:
            if not self._newlines:
                raise Corrupt("sparse map: the count is missing")
            count = bytes(self._text[: self._text.index(b"\n")])
            self._expected = decimal(count, self._limit, "sparse count")
        lines = 2 * self._expected + 1
        if self._newlines < lines:
            if len(self._text) > 512 + lines * 21:
                raise Corrupt("sparse map: a line is too long")
            return None
        return from_numbers(bytes(self._text).split(b"\n", lines)[1:lines])


def checked(parts: Map, real_size: int, stored: int, limit: int) -> Map:
    """The map, ascending, inside the file, and exactly as long as what is stored."""
    if len(parts) > limit:
        raise Corrupt("sparse map: too many parts")
    end = total = 0
    for offset, length in parts:
        if offset < end:
            raise Corrupt("sparse map: the parts overlap")
        end = offset + length
        total += length
    if end > real_size or total != stored:
        raise Corrupt("sparse map: does not fit the file")
    return [part for part in parts if part[1]]


def segments(parts: Map, real_size: int) -> Iterator[tuple[int, int]]:
    """The file from front to back as (hole before, stored length); the last stores nothing."""
    position = 0
    for offset, length in parts:
        yield offset - position, length
        position = offset + length
    yield real_size - position, 0
