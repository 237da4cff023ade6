"""The log of one container: numbered segments of frames, the oldest removed by rotation.

Bytes go from the pipe to the file by splice(2), so the monitor never has them in its memory, and
a kill at any moment loses and doubles nothing: what has not been written still is in the pipe.
A frame whose writer was killed is short; readers take what there is (``frames.mend``).
"""

from __future__ import annotations

import json
import os
import time

from runtime.wire.frames import HEADER, NOTE, build, build_header

BUDGET = 256 * 1024
"""Bytes taken from one pipe in one turn: what floods does not keep the others waiting."""

_RESUME_BELOW = 64 * 1024


class LogFile:
    def __init__(self, directory: str, *, max_size: int, max_files: int, devnull: int) -> None:
        self._directory = directory
        self._max_size = max(max_size, 4096)
        self._max_files = max_files
        self._devnull = devnull
        self._fd = -1
        self._end = 0
        self._number = 0
        self._dropped = 0
        if max_files > 0:
            self._open_last()

    def take(self, pipe: int, stream: int, available: int) -> None:
        """Move what is in the pipe, at most BUDGET, into the log; never blocks, never fails."""
        count = min(available, BUDGET, self._max_size - HEADER.size)
        if not self._ready(count):
            self._drop(pipe, count)
            return

        start = self._end + HEADER.size
        written = 0
        try:
            self._put(build_header(time.time_ns(), stream, count), self._end)
            while written < count:
                moved = os.splice(pipe, self._fd, count - written, offset_dst=start + written)
                if moved == 0:
                    break
                written += moved
        except OSError:
            self._shorten(stream, written)
            self._drop(pipe, count - written)
            return
        if written < count:
            self._shorten(stream, written)
            return
        self._end = start + written

    def write(self, stream: int, content: bytes) -> None:
        """Append bytes that came from a terminal, which cannot be spliced."""
        if not self._ready(len(content)):
            self._dropped += len(content)
            return
        try:
            self._put(build(time.time_ns(), stream, content), self._end)
        except OSError:
            self._dropped += len(content)
            self._shorten(stream, 0)
            return
        self._end += HEADER.size + len(content)

    def close(self) -> None:
        if self._dropped:
            self._ready(0)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _ready(self, count: int) -> bool:
        """Have a segment with room, and the note about dropped bytes in it; False: drop."""
        if self._max_files <= 0:
            return False
        try:
            if self._fd < 0 or (self._end and self._end + HEADER.size + count > self._max_size):
                self._rotate()
            if self._dropped:
                note = build(time.time_ns(), NOTE, json.dumps({"dropped": self._dropped}).encode())
                self._put(note, self._end)
                self._end += len(note)
                self._dropped = 0
        except OSError:
            if self._fd >= 0:
                self._shorten(NOTE, 0)
            return False
        return True

    def _rotate(self) -> None:
        path = segment_path(self._directory, self._number + 1)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._end = fd, 0
        self._number += 1
        self._remove_oldest()

    def _remove_oldest(self) -> None:
        """Keep as many bytes as the closed files may hold.

        Counted in bytes, not files: each new monitor begins one, and must not push out the rest.
        """
        left = self._max_size * (self._max_files - 1)
        for number in reversed(segments(self._directory)[:-1]):
            path = segment_path(self._directory, number)
            left -= os.stat(path).st_size
            if left < 0:
                os.unlink(path)

    def _open_last(self) -> None:
        """Go on in the last segment when it is short and whole; else in a new one."""
        os.makedirs(self._directory, 0o700, exist_ok=True)
        numbers = segments(self._directory)
        if not numbers:
            return
        self._number = numbers[-1]
        fd = os.open(segment_path(self._directory, self._number), os.O_RDWR | os.O_CLOEXEC)
        size = os.fstat(fd).st_size
        if size <= _RESUME_BELOW and _ends_whole(os.pread(fd, size, 0)):
            self._fd, self._end = fd, size
        else:
            os.close(fd)

    def _shorten(self, stream: int, written: int) -> None:
        """After a failed write: the frame holds what was written, or is not there at all."""
        try:
            if written:
                self._put(build_header(time.time_ns(), stream, written), self._end)
                self._end += HEADER.size + written
            os.ftruncate(self._fd, self._end)
        except OSError:
            # not even that: the segment is left with a torn end, which readers know
            os.close(self._fd)
            self._fd = -1

    def _drop(self, pipe: int, count: int) -> None:
        while count > 0:
            try:
                moved = os.splice(pipe, self._devnull, count)
            except OSError:
                break
            if moved == 0:
                break
            count -= moved
            if self._max_files > 0:
                self._dropped += moved

    def _put(self, content: bytes, offset: int) -> None:
        if os.pwrite(self._fd, content, offset) != len(content):
            raise OSError("short write")


def segments(directory: str) -> list[int]:
    """Return the numbers of a log's segments, oldest first."""
    return sorted(
        int(n[:-4]) for n in os.listdir(directory) if n[:-4].isdigit() and n[-4:] == ".log"
    )


def segment_path(directory: str, number: int) -> str:
    return f"{directory}/{number:08}.log"


def _ends_whole(content: bytes) -> bool:
    offset = 0
    while offset + HEADER.size <= len(content):
        offset += HEADER.size + HEADER.unpack_from(content, offset)[1]
    return offset == len(content)
