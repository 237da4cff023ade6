"""Option tmpcopyup: what the image has at a mount point is copied into the tmpfs that covers it.

Every file is opened relative to the descriptor of its directory and no link is followed, so a tree
that is hostile, or changes meanwhile, can give nothing but its own contents.
"""

from __future__ import annotations

import errno
import os
import stat

_CHUNK = 1 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 200  # each level holds two descriptors open


def copy_tree(source: int, target: int) -> None:
    """Copy what lies in the directory `source` into the directory `target` (O_PATH will do)."""
    _copy_directory(os.open(".", _DIRECTORY, dir_fd=source), os.dup(target), 0)


def _copy_directory(source: int, target: int, depth: int) -> None:
    try:
        if depth > _DEEPEST:
            raise OSError(errno.ELOOP, f"more than {_DEEPEST} directories deep")
        for name in os.listdir(source):
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                os.mkdir(name, 0o700, dir_fd=target)
                below = os.open(name, _DIRECTORY, dir_fd=source)
                _copy_directory(below, os.open(name, _DIRECTORY, dir_fd=target), depth + 1)
            elif stat.S_ISREG(status.st_mode):
                _copy_file(source, target, name)
            elif stat.S_ISLNK(status.st_mode):
                os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            elif not stat.S_ISSOCK(status.st_mode):
                os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
            else:
                # a socket is nothing without the process that listens on it
                continue
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                # after the owner: a change of owner takes set-user-ID away (chown(2))
                os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)
            times = (status.st_atime_ns, status.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)
    finally:
        os.close(source)
        os.close(target)


def _copy_file(source: int, target: int, name: str) -> None:
    original = os.open(name, _FILE, dir_fd=source)
    try:
        if not stat.S_ISREG(os.fstat(original).st_mode):
            raise OSError(errno.EIO, f"{name} was exchanged while it was copied")
        copy = os.open(name, _NEW_FILE, 0o600, dir_fd=target)
        try:
            while block := memoryview(os.read(original, _CHUNK)):
                while block:
                    block = block[os.write(copy, block) :]
        finally:
            os.close(copy)
    finally:
        os.close(original)
