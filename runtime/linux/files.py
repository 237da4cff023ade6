"""What the standard library does not offer for names in a directory."""

from __future__ import annotations

import ctypes

from runtime.linux.constants import AT_FDCWD
from runtime.linux.libc import function, path_bytes

_RENAME_EXCHANGE = 2

_renameat2 = function(
    "renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint
)


def exchange(one: str, other: str) -> None:
    """Let two names change places at once (renameat2(2)): at no time is one of them missing."""
    _renameat2(AT_FDCWD, path_bytes(one), AT_FDCWD, path_bytes(other), _RENAME_EXCHANGE)
