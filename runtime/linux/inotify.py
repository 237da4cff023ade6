"""inotify(7): to be woken when files change, or a directory's grow or come. No decoding."""

from __future__ import annotations

import ctypes
import os

from runtime.linux.libc import function, path_bytes

IN_MODIFY = 0x2
IN_CREATE = 0x100
IN_DELETE_SELF = 0x400

_BUFFER = 65536

_init = function("inotify_init1", ctypes.c_int)
_add_watch = function("inotify_add_watch", ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


def watch_directory(path: str, mask: int = IN_MODIFY | IN_CREATE | IN_DELETE_SELF) -> int:
    """An fd that becomes readable when something has happened; the caller closes it."""
    fd = _init(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        add_watch(fd, path, mask)
    except OSError:
        os.close(fd)
        raise
    return fd


def add_watch(fd: int, path: str, mask: int) -> None:
    """Be woken by one more file or directory through the same fd."""
    _add_watch(fd, path_bytes(path), mask)


def take_events(fd: int) -> None:
    """Make the fd wait again; what happened is looked up by whoever was woken."""
    try:
        while len(os.read(fd, _BUFFER)) == _BUFFER:
            pass
    except BlockingIOError:
        pass
