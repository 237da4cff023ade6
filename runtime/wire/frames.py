"""Log frames: when the monitor read some bytes, from which stream, and the bytes as they came.

The monitor writes them, the container driver reads the files, clients turn them into lines
(``runtime.wire.lines``). A frame says nothing about lines: it may hold a thousand, or half of one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

HEADER = struct.Struct("<QIBB2x")
"""Nanoseconds since the epoch, length of what follows, stream, reserved."""

NOTE = 0
"""Written by the monitor itself, as JSON: ``{"dropped": BYTES}`` were lost to a full disk."""
STDOUT = 1
STDERR = 2

LARGEST = 1024 * 1024
"""No frame holds more bytes: a reader can refuse what says so."""


class BadFrame(ValueError):
    """The bytes are no frames."""


def build_header(time_ns: int, stream: int, length: int) -> bytes:
    return HEADER.pack(time_ns, length, stream, 0)


def build(time_ns: int, stream: int, content: bytes) -> bytes:
    return HEADER.pack(time_ns, len(content), stream, 0) + content


def whole(buffer: bytes | memoryview, offset: int = 0) -> int:
    """Return where the last whole frame of the buffer ends, counted from its start."""
    unpack, size = HEADER.unpack_from, len(buffer)
    while offset + HEADER.size <= size:
        _, length, stream, _ = unpack(buffer, offset)
        _check(length, stream)
        end = offset + HEADER.size + length
        if end > size:
            break
        offset = end
    return offset


def split(buffer: bytes | memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield (time_ns, stream, content) of each whole frame; what is left at the end is ignored."""
    view, offset = memoryview(buffer), 0
    unpack, size = HEADER.unpack_from, len(view)
    while offset + HEADER.size <= size:
        time_ns, length, stream, _ = unpack(view, offset)
        _check(length, stream)
        start = offset + HEADER.size
        if start + length > size:
            return
        yield time_ns, stream, view[start : start + length]
        offset = start + length


def mend(torn: bytes | memoryview) -> bytes:
    """Make a whole frame of one whose writer was killed: it holds what had been written.

    What was not written is still in the pipe, and comes again in the next frame.
    """
    if len(torn) < HEADER.size:
        return b""
    time_ns, length, stream, _ = HEADER.unpack_from(torn)
    _check(length, stream)
    return build(time_ns, stream, bytes(torn[HEADER.size : HEADER.size + length]))


def _check(length: int, stream: int) -> None:
    if length > LARGEST or stream > STDERR:
        raise BadFrame(f"log frame: stream {stream} with {length} bytes")
