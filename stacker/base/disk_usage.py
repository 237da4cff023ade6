"""What a tree takes on the disk, as du(1) counts: blocks, each file once. Follows no link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

BLOCK = 512
"""The unit of st_blocks, stat(2)."""


def size_of(tree: Path) -> int:
    """Bytes of all that is below on the same file system; what goes meanwhile does not count."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for info in _walk(os.fspath(tree)):
        key = (info.st_dev, info.st_ino)
        if key not in seen:
            seen.add(key)
            total += info.st_blocks * BLOCK
    return total


def _walk(folder: str) -> Iterator[os.stat_result]:
    try:
        device = os.lstat(folder).st_dev
    except FileNotFoundError:
        return
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                info = entry.stat(follow_symlinks=False)
                if info.st_dev != device:
                    continue
                yield info
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
            except FileNotFoundError:
                continue
