"""The byte protocol of ``exec``, spoken in both directions after ``HTTP/1.1 101``.

A frame is its kind (one byte), the length of its payload (four bytes, big-endian), the payload.

===========  ====  ==================================================================
to the supervisor
-------------------------------------------------------------------------------------
STDIN        0     bytes; an empty one says that there will be no more
RESIZE       1     rows and columns, two bytes each, big-endian
to the client
-------------------------------------------------------------------------------------
STDOUT       1     bytes
STDERR       2     bytes
EXIT         3     the exit code, four bytes, big-endian; the last frame
PROBLEM      4     a Problem as JSON; the last frame
===========  ====  ==================================================================
"""

from __future__ import annotations

from stacker.base.errors import Corrupt

UPGRADE = "stacker-exec"
"""The word of the ``Upgrade`` header."""

STDIN = 0
RESIZE = 1
STDOUT = 1
STDERR = 2
EXIT = 3
PROBLEM = 4

MAX_PAYLOAD = 1 << 20
_HEADER = 5


def frame(kind: int, payload: bytes) -> bytes:
    """Build one frame."""
    return bytes((kind,)) + len(payload).to_bytes(4, "big") + payload


def resize(rows: int, columns: int) -> bytes:
    """Build the frame that says how large the terminal is."""
    return frame(RESIZE, rows.to_bytes(2, "big") + columns.to_bytes(2, "big"))


def parse_resize(payload: bytes) -> tuple[int, int]:
    """Return rows and columns."""
    if len(payload) != 4:
        raise Corrupt("exec: a resize frame has four bytes")
    return int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:], "big")


class FrameReader:
    """Collects received bytes and gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> list[tuple[int, bytes]]:
        """Take bytes as they came and return the frames that are whole now."""
        self._buffer += received
        frames: list[tuple[int, bytes]] = []
        while len(self._buffer) >= _HEADER:
            length = int.from_bytes(self._buffer[1:_HEADER], "big")
            if length > MAX_PAYLOAD:
                raise Corrupt(f"exec: a frame of {length} bytes")
            if len(self._buffer) < _HEADER + length:
                break
            frames.append((self._buffer[0], bytes(self._buffer[_HEADER : _HEADER + length])))
            del self._buffer[: _HEADER + length]
        return frames
