"""Reads the log of one container: the last lines, since a time, and what comes.

Segments have numbers and are never renamed, so a reader holds (number, offset) and rotation can
neither double nor hide anything; what is removed before it was read is gone, and only that.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel

from runtime.linux.inotify import take_events, watch_directory
from runtime.wire.frames import HEADER, BadFrame, build, mend, split, whole

CHUNK = 1024 * 1024
_GATHER_S = 0.02
"""A container that writes all the time wakes its reader at most this often."""


async def read_log(
    directory: Path, *, tail: int | None, since: float | None, follow: bool
) -> AsyncIterator[bytes]:
    """Yield whole frames in chunks; with ``follow`` for ever."""
    woken = _watch(directory) if follow else None
    try:
        reader = LogReader(directory)
        if tail is not None:
            reader.go_to_last_lines(tail)
        while True:
            for chunk in reader.chunks():
                kept = after(chunk, since) if since is not None else chunk
                if kept:
                    yield kept
                await anyio.lowlevel.checkpoint()
            if woken is None or not os.path.isdir(directory):  # noqa: ASYNC240
                return
            await anyio.wait_readable(woken)
            take_events(woken)
            await anyio.sleep(_GATHER_S)
    finally:
        if woken is not None:
            anyio.notify_closing(woken)
            os.close(woken)


class LogReader:
    """A place in the log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 0
        self._offset = 0
        self._skipped = 0
        """Bytes at the beginning of the next frame that are not wanted."""

    def chunks(self) -> Iterator[bytes]:
        """Yield what is there beyond the place, and move it."""
        for chunk in self._whole_chunks():
            yield _without(chunk, self._skipped) if self._skipped else chunk
            self._skipped = 0

    def _whole_chunks(self) -> Iterator[bytes]:
        numbers = [n for n in self._segments() if n >= self._number]
        for number in numbers:
            if number != self._number:
                self._number, self._offset = number, 0
            yield from self._rest_of_segment(is_last=number == numbers[-1])

    def go_to_last_lines(self, lines: int) -> None:
        """Move the place to where the last lines begin, those of all streams together."""
        for number in reversed(self._segments()):
            self._number = number
            lines = self._find_from_end(number, lines)
            if lines < 0:
                return

    def _find_from_end(self, number: int, lines: int) -> int:
        """Move within one segment; return how many more lines are wanted, -1 for none."""
        places: list[tuple[int, memoryview]] = []
        offset = 0
        for _, _, payload in split(self._read_all(number)):
            places.append((offset, payload))
            offset += HEADER.size + len(payload)
        for place, payload in reversed(places):
            content = bytes(payload)
            newlines = content.count(b"\n")
            if newlines > lines:
                self._offset, self._skipped = place, _start_of_last(content, lines)
                return -1
            lines -= newlines
        self._offset = 0
        return lines

    def _rest_of_segment(self, *, is_last: bool) -> Iterator[bytes]:
        try:
            fd = os.open(self._path(self._number), os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            while content := os.pread(fd, CHUNK, self._offset):
                end = whole(content)
                if end == 0 and len(content) == CHUNK:
                    # one frame with its header is larger than the chunk by no more than that
                    content = os.pread(fd, CHUNK + HEADER.size, self._offset)
                    end = whole(content)
                if end == 0:
                    # in the last segment it may be about to be written
                    if not is_last:
                        yield mend(content)
                        self._offset += len(content)
                    return
                self._offset += end
                yield content[:end]
        except BadFrame:
            return
        finally:
            os.close(fd)

    def _read_all(self, number: int) -> bytes:
        try:
            with open(self._path(number), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def _segments(self) -> list[int]:
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        return sorted(int(n[:-4]) for n in names if n.endswith(".log") and n[:-4].isdigit())

    def _path(self, number: int) -> str:
        return f"{self._directory}/{number:08}.log"


def _start_of_last(content: bytes, lines: int) -> int:
    """Return where the last lines begin, in bytes that have more lines than that."""
    end = len(content)
    for _ in range(lines + 1):
        end = content.rfind(b"\n", 0, end)
    return end + 1


def _without(frames: bytes, skipped: int) -> bytes:
    time_ns, stream, payload = next(split(frames))
    rest = frames[HEADER.size + len(payload) :]
    return build(time_ns, stream, bytes(payload[skipped:])) + rest


def after(frames: bytes, since: float) -> bytes:
    """Drop the frames that are older; they are in the order of their times."""
    since_ns = int(since * 1e9)
    offset = 0
    for time_ns, _, payload in split(frames):
        if time_ns >= since_ns:
            break
        offset += HEADER.size + len(payload)
    return frames[offset:]


def _watch(directory: Path) -> int:
    # a container that has not been started yet has no directory to watch
    os.makedirs(directory, 0o700, exist_ok=True)
    return watch_directory(str(directory))
