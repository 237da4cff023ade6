"""Saved files, told by inotify through watchfiles.

Directories are watched, not the files: editors save by renaming a new file over the old one, and
a watch on a file would be lost with it. An event only wakes; whether a file is another one says
its stat, which is looked at now and then without an event as well: a symbolic link leads to where
nobody watches, and a network file system tells nothing.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

SETTLE_MS = 100
"""A burst of changes shorter than this is one wake-up."""
LOOK_MS = 1000

Stamp = tuple[int, ...]


async def watch_files(files: Sequence[Path]) -> AsyncGenerator[None]:
    """Wake at once, and after one of the files was saved, replaced, removed, or came back.

    Whoever reads them after a wake-up misses nothing: what is saved later wakes again.
    """
    stamps = [_stamp(path) for path in files]
    yield
    directories = {path.parent for path in files if path.parent.is_dir()}
    async for _ in awatch(
        *directories,
        watch_filter=None,
        debounce=SETTLE_MS,
        recursive=False,
        step=20,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
    ):
        found = [_stamp(path) for path in files]
        if found != stamps:
            stamps = found
            yield


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
