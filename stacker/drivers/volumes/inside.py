"""Reading and copying inside a container's file system, which may be hostile.

Rule 1: a path is resolved once, by openat2 with RESOLVE_IN_ROOT, and the fd is used from then on.
Rule 2: below that fd, every step is one name with O_NOFOLLOW, relative to a directory fd
(CVE-2018-15664, CVE-2024-9676: what a path names may change between two look-ups).
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.linux.fds import open_in_root
from stacker.base.errors import Invalid

DEEPEST = 256
"""Directory levels that a copy follows."""


def read_in_root(root: str, path: str, *, largest: int) -> bytes | None:
    """Return a regular file's bytes; None where there is none, Invalid where it is not a file.

    A FIFO does not make this hang, nor a huge file fill the memory (security.md R11).
    """
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_in_root(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise Invalid(f"{path} in the image: {os.strerror(error.errno or 0).lower()}") from error
    finally:
        os.close(root_fd)

    with open(fd, "rb", closefd=True) as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Invalid(f"{path} in the image is not a regular file")
        content = file.read(largest + 1)
    if len(content) > largest:
        raise Invalid(f"{path} in the image is larger than {largest} bytes")
    return content


def open_directory(root: str, path: str) -> int | None:
    """Open a directory inside ``root`` for copying from; None where there is none."""
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_in_root(root_fd, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise
    finally:
        os.close(root_fd)


def copy_tree(source: int, target: int, *, depth: int = 0) -> None:
    """Copy what is below one directory fd into another: types, owners, modes, times, xattrs.

    The target directory itself takes the source's owner and mode, as Docker's copy-up does.
    """
    if depth > DEEPEST:
        raise Invalid(f"directories are nested deeper than {DEEPEST} levels")

    for name in sorted(os.listdir(source)):
        info = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            os.mkdir(name, mode=0o700, dir_fd=target)
            inner_source = os.open(
                name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source
            )
            inner_target = os.open(
                name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target
            )
            try:
                copy_tree(inner_source, inner_target, depth=depth + 1)
            finally:
                os.close(inner_source)
                os.close(inner_target)
        elif stat.S_ISREG(info.st_mode):
            _copy_file(name, source, target, info)
        elif stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, info.st_uid, info.st_gid, dir_fd=target, follow_symlinks=False)
        else:
            os.mknod(name, info.st_mode, info.st_rdev, dir_fd=target)
            os.chown(name, info.st_uid, info.st_gid, dir_fd=target, follow_symlinks=False)

    copy_attributes(source, target)


def _copy_file(name: str, source: int, target: int, info: os.stat_result) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        writer = os.open(
            name,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
            dir_fd=target,
        )
        try:
            remaining = info.st_size
            while remaining > 0:
                copied = os.sendfile(writer, reader, None, min(remaining, 1 << 24))
                if copied == 0:
                    break
                remaining -= copied
            copy_attributes(reader, writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def copy_attributes(source: int, target: int) -> None:
    """Give one fd's file the owner, mode, times and xattrs of another's."""
    info = os.fstat(source)
    os.fchown(target, info.st_uid, info.st_gid)
    os.fchmod(target, stat.S_IMODE(info.st_mode))
    for key in os.listxattr(source):
        if key.startswith("trusted.overlay."):
            continue
        try:
            os.setxattr(target, key, os.getxattr(source, key))
        except OSError as error:
            # a file system that keeps no such attribute gets the rest of the file
            if error.errno != errno.ENOTSUP:
                raise
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))
