"""Network namespaces: made, pinned to a path, entered for a moment.

A namespace belongs to the thread that entered it. Every function comes back to the namespace it
was called in before it returns; they run in worker threads, which are used again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from runtime.linux.mount import MNT_DETACH, MS_BIND, UMOUNT_NOFOLLOW, mount, umount2
from runtime.linux.namespaces import CLONE_NEWNET, setns, unshare

T = TypeVar("T")

_OWN = "/proc/thread-self/ns/net"


def is_pinned(path: str | Path) -> bool:
    """Whether a namespace is mounted on a path: only those have the device of nsfs."""
    try:
        return os.stat(path).st_dev == _nsfs()
    except FileNotFoundError:
        return False


def make_pinned(path: Path, inside: Callable[[], T]) -> T:
    """Make a namespace, mount it on a path, and call something in it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    with _coming_back():
        unshare(CLONE_NEWNET)
        mount(_OWN, os.fspath(path), None, MS_BIND)
        return inside()


def pin_of_process(path: Path, pid: int) -> None:
    """Mount a process's namespace on a path, unless one is mounted there."""
    if not is_pinned(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        mount(f"/proc/{pid}/ns/net", os.fspath(path), None, MS_BIND)


def call_in(path: Path, inside: Callable[[], T]) -> T:
    """Call something in the namespace that is pinned to a path."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _coming_back():
            setns(fd, CLONE_NEWNET)
            return inside()
    finally:
        os.close(fd)


def unpin(path: Path) -> None:
    """Take the mount and the file away; the namespace goes with its last process."""
    try:
        umount2(os.fspath(path), MNT_DETACH | UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    path.unlink(missing_ok=True)


@cache
def _nsfs() -> int:
    """The device of all namespaces, one for each boot."""
    return os.stat(_OWN).st_dev


@contextmanager
def _coming_back() -> Generator[None]:
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        # setns(2) to where the thread was a moment ago has nothing to fail for
        setns(home, CLONE_NEWNET)
        os.close(home)
