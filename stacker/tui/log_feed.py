"""The lines of one container, or of all of a stack, for a thread of their own.

Goes on where it was when the supervisor was restarted. A container that writes faster than a screen
can show fills no memory: of the lines that wait to be taken only the last ones are kept.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from threading import Lock

from runtime.wire.frames import HEADER, split
from runtime.wire.lines import Lines
from stacker.base.errors import StackerError
from stacker.client.api import Supervisor
from stacker.client.streams import LogStream
from stacker.tui import log_text
from stacker.tui.log_text import LogLine
from stacker.tui.messages import Logged
from stacker.tui.threads import Threads
from stacker.tui.view import Target
from stacker.wire.log_stream import LogRecord

TAIL = 500
KEPT = 5_000
"""Lines that are kept of what was written."""
RETRY_S = 0.5


class LogFeed:
    """One thread runs ``follow``; ``end`` and ``take`` are called from another one."""

    def __init__(self, supervisor: Supervisor, target: Target, threads: Threads) -> None:
        self._supervisor = supervisor
        self._target = target
        self._threads = threads
        self._stream: LogStream | None = None
        self._ended = False
        self._lines: dict[str, Lines] = {}
        self._last_ns: dict[str, int] = {}
        self._lock = Lock()
        self._waiting: deque[LogLine] = deque(maxlen=KEPT)
        self._announced = False

    def end(self) -> None:
        self._ended = True
        if self._stream is not None:
            self._stream.close()

    def take(self) -> list[LogLine]:
        """Return the lines that came since the last time."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
            self._announced = False
        if not self._target.name:  # several containers, whose pasts come one after the other
            taken.sort(key=lambda line: line.time_ns)
        return taken

    def follow(self) -> None:
        while not self._ended and not self._threads.ended:
            # a stream that breaks: who watches the containers says what is wrong
            with suppress(StackerError, OSError, ValueError):
                self._read()
            self._threads.pause(RETRY_S)

    def _read(self) -> None:
        """Read until the stream ends, which it does when the supervisor does."""
        seen = dict(self._last_ns)
        stream = self._stream = self._supervisor.logs(
            self._target.stack,
            self._target.services,
            tail=None if seen else TAIL,
            since=min(seen.values()) / 1e9 if seen else None,
            follow=True,
        )
        if self._ended:  # `end` may have come before there was a stream to close
            stream.close()
        for record, frames in stream:
            if self._target.name in ("", record.container):
                self._add(record, _after(frames, seen.get(record.container, 0)))

    def _add(self, record: LogRecord, frames: bytes) -> None:
        source = record.container.removeprefix(f"{self._target.stack}-")
        assembled = self._lines.setdefault(record.container, Lines())
        for time_ns, _, _ in split(frames):
            self._last_ns[record.container] = time_ns
        found = [
            line
            for time_ns, stream, content in assembled.feed(frames)
            for line in log_text.lines(
                time_ns,
                stream,
                content,
                source="" if self._target.name else source,
                most=KEPT,
            )
        ]
        if not found:
            return
        with self._lock:
            self._waiting += found
            announce, self._announced = not self._announced, True
        if announce:
            self._threads.tell(Logged(self._target, self.take))


def _after(frames: bytes, last_ns: int) -> bytes:
    """Leave away the frames that were read before the stream broke."""
    if not last_ns:
        return frames
    offset = 0
    for time_ns, _, content in split(frames):
        if time_ns > last_ns:
            return frames[offset:]
        offset += HEADER.size + len(content)
    return b""
