"""From frames to lines, in bulk: a chunk of whole lines at a time, never a loop over lines.

Streams are assembled apart from each other, so that half a line of stderr never lands in the
middle of one of stdout. A line that began in an earlier frame carries the time of its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.wire.frames import split

LONGEST_LINE = 1024 * 1024
"""A longer one is cut, so that a container that never ends its line costs no memory."""


class Lines:
    """Assembles the lines of one container."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[int, bytes]] = {}

    def feed(self, frames: bytes | memoryview) -> Iterator[tuple[int, int, bytes]]:
        """Yield (time_ns, stream, whole lines, each with its newline)."""
        for time_ns, stream, content in split(frames):
            begun = self._open.pop(stream, None)
            last = bytes(content).rfind(b"\n") + 1
            if begun is not None:
                yield from self._continue(begun, time_ns, stream, content, last)
                continue

            if last:
                yield time_ns, stream, bytes(content[:last])
            self._keep(time_ns, stream, bytes(content[last:]))
            yield from self._cut(stream)

    def rest(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield the lines that have no newline yet, with one."""
        for stream, (time_ns, begun) in sorted(self._open.items()):
            yield time_ns, stream, begun + b"\n"
        self._open.clear()

    def _continue(
        self, begun: tuple[int, bytes], time_ns: int, stream: int, content: memoryview, last: int
    ) -> Iterator[tuple[int, int, bytes]]:
        if not last:
            self._keep(begun[0], stream, begun[1] + content)
            yield from self._cut(stream)
            return

        first = bytes(content).find(b"\n") + 1
        yield begun[0], stream, begun[1] + content[:first]
        if last > first:
            yield time_ns, stream, bytes(content[first:last])
        self._keep(time_ns, stream, bytes(content[last:]))

    def _keep(self, time_ns: int, stream: int, begun: bytes) -> None:
        if begun:
            self._open[stream] = (time_ns, begun)

    def _cut(self, stream: int) -> Iterator[tuple[int, int, bytes]]:
        if stream in self._open and len(self._open[stream][1]) >= LONGEST_LINE:
            time_ns, begun = self._open.pop(stream)
            yield time_ns, stream, begun + b"\n"


def prefixed(lines: bytes, prefix: bytes) -> bytes:
    """Put the prefix before each of the whole lines."""
    return prefix + lines[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
