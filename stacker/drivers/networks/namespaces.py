"""Network namespaces: made, pinned to a path, entered for a moment.

One for a container with ids of its own is owned by a user namespace that has them, which is pinned
beside it. A namespace belongs to the thread that entered it: every function comes back to the one
it was called in before it returns; they run in worker threads, which are used again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from runtime.linux.held_namespaces import HeldNamespaces, write_mappings
from runtime.linux.mount import MNT_DETACH, MS_BIND, UMOUNT_NOFOLLOW, mount, umount2
from runtime.linux.namespaces import CLONE_NEWNET, CLONE_NEWUSER, owner_of, setns, unshare
from stacker.base.id_range import IdRange
from stacker.drivers.networks.names import owner_place

T = TypeVar("T")

_OWN = "/proc/thread-self/ns/net"


def is_pinned(path: str | Path) -> bool:
    """Whether a namespace is mounted on a path: only those have the device of nsfs."""
    try:
        return os.stat(path).st_dev == _nsfs()
    except FileNotFoundError:
        return False


def make_pinned(path: Path, inside: Callable[[], T], *, ids: IdRange | None = None) -> T:
    """Make a namespace, mount it on a path, and call something in it."""
    if ids is not None:
        with HeldNamespaces(CLONE_NEWUSER | CLONE_NEWNET) as pid:
            write_mappings(pid, ids.mappings)
            pin_of_process(path, pid)
        return call_in(path, inside)
    _make_place(path)
    with _coming_back():
        unshare(CLONE_NEWNET)
        mount(_OWN, os.fspath(path), None, MS_BIND)
        return inside()


def pin_of_process(path: Path, pid: int) -> None:
    """Mount a process's namespace on a path, unless one is mounted there."""
    if not is_pinned(path):
        _make_place(path)
        mount(f"/proc/{pid}/ns/net", os.fspath(path), None, MS_BIND)


def pin_owner(path: Path) -> None:
    """Mount the user namespace that owns a pinned namespace on its own place; idempotent."""
    place = owner_place(path)
    if is_pinned(place):
        return
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        owner = owner_of(fd)
    finally:
        os.close(fd)
    try:
        _make_place(place)
        mount(f"/proc/self/fd/{owner}", os.fspath(place), None, MS_BIND)
    finally:
        os.close(owner)


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


def _make_place(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


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
