"""A layer's EROFS file, read where it is looked at.

Not mapped: a block that the disk cannot give would end the process with SIGBUS, and here it is an
error of this one layer (mmap(2), "SIGBUS").
"""

from __future__ import annotations

import os

from stacker.base.errors import Failed

_WINDOW = 1 << 13
_WINDOWS_MAX = 4
"""Inodes lie side by side, and a directory's not far from it: few reads serve many looks."""


class LayerFile:
    """`read` is what `oci.erofs.reader.Image` asks for bytes. The descriptor is the caller's."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._windows: dict[int, memoryview] = {}

    def read(self, at: int, size: int) -> memoryview:
        """So many bytes, or fewer where the file ends."""
        start = at % _WINDOW
        if start + size > _WINDOW:
            return self._pread(at, size)
        window = self._windows.get(at - start)
        if window is None:
            window = self._pread(at - start, _WINDOW)
            if len(self._windows) == _WINDOWS_MAX:
                del self._windows[next(iter(self._windows))]
            self._windows[at - start] = window
        return window[start : start + size]

    def _pread(self, at: int, size: int) -> memoryview:
        try:
            return memoryview(os.pread(self._fd, size, at))
        except OSError as error:
            raise Failed(f"read layer: {(error.strerror or str(error)).lower()}") from error
