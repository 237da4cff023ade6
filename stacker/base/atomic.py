"""Files that are there whole or not at all.

Written beside their place under a name of their own, then renamed over it: a reader, and whoever
starts after a crash, sees the old bytes or the new ones. What a process that was killed in between
has left under such a name is swept by whoever owns the directory, at its start.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from stacker.base.writing import write_all

MODE = 0o600
SUFFIX = ".new"
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.new", re.ASCII | re.DOTALL)


def write_atomic(path: Path, data: bytes, *, durable: bool = True, mode: int = MODE) -> None:
    """Replace a file. Without `durable` it survives the process, though not a power cut.

    OSError goes to the caller, who knows what the file is; nothing is left behind then.
    """
    fresh = unfinished(path)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(fd, data)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        fresh.rename(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise

    if durable:
        sync_directory(path.parent)


def unfinished(path: Path) -> Path:
    """A name beside a file's for what is to take its place; `sweep_unfinished` knows it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{SUFFIX}")


def sweep_unfinished(directories: Iterable[Path]) -> None:
    """Remove what writers that were killed have left; nobody may be writing there meanwhile.

    What cannot be removed, or listed, is left: it costs some bytes, and no start.
    """
    for directory in directories:
        with suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                if _UNFINISHED.fullmatch(entry.name):
                    with suppress(OSError):
                        os.unlink(entry.path)


def sync_file(path: Path) -> None:
    """Bring a file's bytes to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_directory(path: Path) -> None:
    """Bring a directory's names to the disk: a rename is durable only after this."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
