"""Saved files, told by inotify through watchfiles.

Directories are watched, not the files: editors save by renaming a new file over the old one, and
a watch on a file would be lost with it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

SETTLE_MS = 100
"""A burst of changes shorter than this is one wake-up."""


async def watch_files(files: Sequence[Path]) -> AsyncGenerator[None]:
    """Wake after one of the files was saved, replaced, or came back."""
    wanted = {str(path) for path in files}
    directories = {path.parent for path in files if path.parent.is_dir()}
    async for changes in awatch(*directories, debounce=SETTLE_MS, recursive=False, step=20):
        if any(path in wanted for _, path in changes):
            yield
