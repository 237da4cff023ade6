"""Opening directories of a layer's tree: one component, never a symlink."""

from __future__ import annotations

import os

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def step(fd: int, name: bytes) -> int:
    """Go from one directory to the next, ``..`` included; the first descriptor is closed."""
    stepped = os.open(name, DIRECTORY, dir_fd=fd)
    os.close(fd)
    return stepped
