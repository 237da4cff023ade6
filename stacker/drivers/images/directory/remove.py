"""Removing a tree that an image has made: any depth, any names, nothing followed."""

from __future__ import annotations

import os
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove a directory and all in it, if it is there; one descriptor whatever the depth."""
    try:
        fd = os.open(path, _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        names: list[bytes] = []
        while True:
            inner = _empty(fd)
            if inner is not None:
                names.append(inner)
                fd = _step(fd, inner)
            elif names:
                fd = _step(fd, b"..")
                os.rmdir(names.pop(), dir_fd=fd)
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


def _step(fd: int, name: bytes) -> int:
    stepped = os.open(name, _DIRECTORY, dir_fd=fd)
    os.close(fd)
    return stepped
