"""What the standard library does not offer for names in a directory."""

from __future__ import annotations

import ctypes
import os

from runtime.linux.constants import AT_FDCWD
from runtime.linux.libc import function, path_bytes

_RENAME_EXCHANGE = 2

_renameat2 = function(
    "renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint
)


_syncfs = function("syncfs", ctypes.c_int)


def exchange(one: str, other: str) -> None:
    """Let two names change places at once (renameat2(2)): at no time is one of them missing."""
    _renameat2(AT_FDCWD, path_bytes(one), AT_FDCWD, path_bytes(other), _RENAME_EXCHANGE)


def sync_file_system(path: str | os.PathLike[str]) -> None:
    """Bring all of the file system that a directory is on to the disk (syncfs(2))."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _syncfs(fd)
    finally:
        os.close(fd)
