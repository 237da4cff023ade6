"""The file that a layer's image is written to: gathered writes, holes, patches.

Called by `layers` in a worker thread. Writes are collected so that one system call, without the
GIL, takes a megabyte of the decompressor's own buffers with no copy made.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from stacker.base.errors import Failed, NoSpace, StackerError
from stacker.base.writing import Buffer, unwritten

_GATHER = 1 << 20
_BUFFERS_MAX = 1024  # IOV_MAX
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class FileSink:
    """A `stacker.oci.erofs.writer.Sink` over a new file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _translated(path, error) from error
        self._buffers: list[Buffer] = []
        self._gathered = 0
        self._position = 0

    def write(self, buffer: bytes | bytearray | memoryview) -> None:
        self._buffers.append(buffer)
        self._gathered += len(buffer)
        if self._gathered >= _GATHER or len(self._buffers) >= _BUFFERS_MAX:
            self.flush()

    def skip(self, size: int) -> None:
        self.flush()
        self._position += size

    def patch(self, offset: int, data: bytes) -> None:
        self.flush()
        try:
            os.pwrite(self._fd, data, offset)
        except OSError as error:
            raise _translated(self._path, error) from error

    def flush(self) -> None:
        """Hands everything gathered to the kernel."""
        buffers, self._buffers, self._gathered = self._buffers, [], 0
        try:
            while buffers:
                written = os.pwritev(self._fd, buffers, self._position)
                self._position += written
                buffers = unwritten(buffers, written)
        except OSError as error:
            raise _translated(self._path, error) from error

    def close(self, size: int) -> None:
        """Ends the file at `size`, which may lie beyond the last write."""
        self.flush()
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise _translated(self._path, error) from error
        os.close(self._fd)
        self._fd = -1

    def discard(self) -> None:
        """Removes the file; may be called at any time, and twice."""
        self._buffers = []
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._path.unlink(missing_ok=True)


def _translated(path: Path, error: OSError) -> StackerError:
    kind = NoSpace if error.errno in _FULL else Failed
    return kind(f"write layer {path}: {(error.strerror or str(error)).lower()}")
