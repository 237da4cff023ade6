"""Take hold of the root and the run directory, so that nobody else works on them.

The locks end with the process that holds them; nothing has to be cleaned up after a crash.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from stacker.base.errors import Conflict, Denied, Failed, Invalid
from stacker.daemon.settings import Settings


class LockHeld(Conflict):
    """Another supervisor works there."""


def claim(settings: Settings, *, group_id: int | None) -> list[int]:
    """Make both directories and lock them; return the locks' descriptors, to be kept open."""
    if os.geteuid() != 0:
        raise Denied("the supervisor needs root: it makes namespaces, mounts and networks")
    make_private(settings.root)
    make_private(settings.run, group_id=group_id)
    make_private(settings.api, group_id=group_id)
    return [_lock(settings.root), _lock(settings.run)]


def make_private(path: Path, *, group_id: int | None = None) -> None:
    """Make a directory that is ours alone, or check that it is; the group may only pass."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise Invalid(f"{path} is not a directory") from error
    except OSError as error:
        raise Failed(f"make {path}: {error.strerror}".lower()) from error
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise Invalid(f"{path} is not a directory")
    if found.st_uid != os.geteuid():
        raise Denied(f"{path} belongs to user {found.st_uid}, not to us")
    if group_id is None:
        os.chmod(path, 0o700)
    else:
        os.chown(path, -1, group_id)
        os.chmod(path, 0o710)


def _lock(directory: Path) -> int:
    path = directory / "lock"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failed(f"lock {path}: {error.strerror}".lower()) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise LockHeld(f"another supervisor (pid {holder}) holds {directory}") from error
    with suppress(OSError):  # a full disk: the lock is what counts, the number is for people
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd
