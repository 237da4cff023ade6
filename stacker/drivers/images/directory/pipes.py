"""Pipes that take much at once."""

from __future__ import annotations

import contextlib
import fcntl

SIZE = 1 << 20
"""What any user may have (pipe-max-size, unless the host has another)."""


def widen(fd: int) -> None:
    """Where the user has too many of them already (pipe-user-pages-soft), a small one does."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, SIZE)
