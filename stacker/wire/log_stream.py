r"""The body of ``GET …/logs``: records, each a line of JSON and then as many bytes as it says.

``{"container": "shop-web-1", "service": "web", "length": 65536}\n`` and 65536 bytes of log frames
(``runtime.wire.frames``: time, stream, length, bytes as the container wrote them). A record holds
whole frames of one container.
"""

from __future__ import annotations

import json

from stacker.base.errors import Corrupt
from stacker.wire.message import Message, decode, encode

MAX_RECORD = 64 << 20
_MAX_HEADER = 4096


class LogRecord(Message):
    container: str
    service: str
    length: int


def build_record(container: str, service: str, frames: bytes) -> bytes:
    """Put the line in front of the frames."""
    header = LogRecord(container=container, service=service, length=len(frames))
    return json.dumps(encode(header)).encode() + b"\n" + frames


class RecordReader:
    """Collects received bytes and gives whole records."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: LogRecord | None = None

    def feed(self, received: bytes) -> list[tuple[LogRecord, bytes]]:
        """Take bytes as they came and return the records that are whole now."""
        self._buffer += received
        records: list[tuple[LogRecord, bytes]] = []
        while self._header is not None or self._take_header():
            header = self._header
            assert header is not None
            if len(self._buffer) < header.length:
                break
            records.append((header, bytes(self._buffer[: header.length])))
            del self._buffer[: header.length]
            self._header = None
        return records

    def _take_header(self) -> bool:
        end = self._buffer.find(b"\n", 0, _MAX_HEADER)
        if end < 0:
            if len(self._buffer) >= _MAX_HEADER:
                raise Corrupt("logs: a record without a header")
            return False
        try:
            header = decode(LogRecord, json.loads(self._buffer[:end]))
        except ValueError as error:
            raise Corrupt("logs: the header of a record is not JSON") from error
        if not 0 <= header.length <= MAX_RECORD:
            raise Corrupt(f"logs: a record of {header.length} bytes")
        del self._buffer[: end + 1]
        self._header = header
        return True
