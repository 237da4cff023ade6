"""What a mounted or unpacked tree looks like, as something that can be compared."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def tree_of(root: Path) -> dict[str, tuple[object, ...]]:
    """Every path below a folder with all that a container can see of it."""
    found: dict[str, tuple[object, ...]] = {}
    first_names: dict[tuple[int, int], str] = {}
    for folder, names, files in os.walk(root):
        for name in sorted(names + files):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root)
            info = os.lstat(path)
            is_folder = stat.S_ISDIR(info.st_mode)
            link = "" if is_folder else first_names.setdefault((info.st_dev, info.st_ino), relative)
            found[relative] = (
                oct(info.st_mode),
                info.st_uid,
                info.st_gid,
                info.st_mtime_ns,
                None if is_folder else info.st_nlink,
                link,
                _content(path, info),
                _xattrs(path),
            )
    return found


def _content(path: str, info: os.stat_result) -> object:
    if stat.S_ISREG(info.st_mode):
        with open(path, "rb") as file:
            return file.read()
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    return None


def _xattrs(path: str) -> tuple[tuple[str, bytes], ...]:
    """Those of the image; overlayfs shows none of its own."""
    return tuple(
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(os.listxattr(path, follow_symlinks=False))
    )
