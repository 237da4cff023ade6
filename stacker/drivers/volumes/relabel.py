"""SELinux labels of files that containers get: volumes, binds with `z` or `Z`, files of ours.

Each file is opened with O_PATH below the fd of its directory and labelled through that fd: no link
is followed, no device opened, and a container that swaps names meanwhile leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from stacker.base.errors import Invalid
from stacker.drivers.volumes.inside import DEEPEST

XATTR = "security.selinux"

_TOP = "bin boot dev etc home lib lib32 lib64 media mnt opt proc root run sbin srv sys tmp usr var"
_BELOW_USR = "bin lib lib64 sbin share"
_BELOW_VAR = "cache lib log run spool tmp"
PROTECTED = frozenset(
    (
        "/",
        *(f"/{name}" for name in _TOP.split()),
        *(f"/usr/{name}" for name in _BELOW_USR.split()),
        *(f"/var/{name}" for name in _BELOW_VAR.split()),
    )
)
"""Another label there and the host's own services could not read their files any more."""


def relabel(path: str, label: str, *, unless_labelled: bool = False) -> None:
    """Give a file, or a directory with all that is below, a label.

    The top comes last: with ``unless_labelled`` one that carries the label has been done before.
    """
    real = os.path.realpath(path)
    if real in PROTECTED:
        raise Invalid(f"selinux: {path} belongs to the host: it is not given another label")
    top = os.open(real, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if unless_labelled and _label(top) == label:
            return
        _relabel(top, label, device=os.fstat(top).st_dev, depth=0)
    finally:
        os.close(top)


def label_file(path: Path, label: str | None) -> None:
    """Label one file of our own; None: this host has no labels."""
    if label is not None:
        _set(os.fspath(path), label)


def _relabel(fd: int, label: str, *, device: int, depth: int) -> None:
    if depth > DEEPEST:
        raise Invalid(f"selinux: directories are nested deeper than {DEEPEST} levels")
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        for name in _names(fd):
            try:
                inner = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            except FileNotFoundError:
                continue  # gone meanwhile
            try:
                # what is mounted below has labels of its own, or none
                if os.fstat(inner).st_dev == device:
                    _relabel(inner, label, device=device, depth=depth + 1)
            finally:
                os.close(inner)
    _set(f"/proc/self/fd/{fd}", label)


def _names(fd: int) -> list[str]:
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    try:
        return os.listdir(directory)
    finally:
        os.close(directory)


def _label(fd: int) -> str | None:
    try:
        return os.getxattr(f"/proc/self/fd/{fd}", XATTR).rstrip(b"\0").decode()
    except OSError:
        return None


def _set(path: str, label: str) -> None:
    try:
        os.setxattr(path, XATTR, label.encode() + b"\0")
    except OSError as error:
        # a file system without labels, as NFS is: the policy decides by its mount
        if error.errno != errno.ENOTSUP:
            raise
