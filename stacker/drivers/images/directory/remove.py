"""Removing a tree that an image has made: any depth, any names, nothing followed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from stacker.drivers.images.directory.walk import DIRECTORY, step


def remove_tree(path: Path) -> None:
    """Remove a directory and all in it, if it is there; one descriptor whatever the depth.

    The way back up is checked: a directory that somebody moves meanwhile leads elsewhere.
    """
    try:
        fd = os.open(path, DIRECTORY)
    except FileNotFoundError:
        return
    try:
        above: list[tuple[bytes, tuple[int, int]]] = []
        while True:
            inner = _empty(fd)
            if inner is not None:
                above.append((inner, _identity(fd)))
                fd = step(fd, inner)
            elif above:
                fd = step(fd, b"..")
                name, identity = above.pop()
                if _identity(fd) != identity:
                    raise OSError(errno.EAGAIN, "moved while it was removed", path)
                os.rmdir(name, dir_fd=fd)
            else:
                break
    finally:
        os.close(fd)
    os.rmdir(path)


def _empty(directory: int) -> bytes | None:
    """Remove all that is not a directory; the name of one that is in the way, or None."""
    with os.scandir(directory) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if entry.is_dir(follow_symlinks=False):
                try:
                    os.rmdir(name, dir_fd=directory)
                except OSError:
                    return name
            else:
                os.unlink(name, dir_fd=directory)
    return None


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
