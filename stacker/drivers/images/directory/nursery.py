"""Making inodes, in numbered directories that lie flat beside one another: the nursery.

Called by `writer`, or by `maker` in a process that does nothing else. An inode has its own name
from the start; its directory gets one when the archive has ended. The directory that is being
filled is the working directory: every name that the kernel is given is one component, of something
new, and nothing is ever followed. The umask is 0, so that a file has its mode from the start.
Raises OSError.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from typing import Any

from stacker.base.errors import Unsupported
from stacker.base.writing import write_all
from stacker.drivers.images.directory.places import NURSERY
from stacker.drivers.images.directory.walk import DIRECTORY
from stacker.oci.erofs import format as disk

ROOT = 0
"""The number of the nursery itself: for inodes whose directory is not known, or has gone."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_KEPT = (errno.ENOTSUP, errno.E2BIG, errno.ERANGE)
_SMALL = 1024

Xattrs = Mapping[bytes, bytes] | None


class Nursery:
    """One inode after the other; the content of a file that is begun comes before the next."""

    def __init__(self) -> None:
        """Makes it, in the working directory, which it becomes."""
        os.mkdir(NURSERY, 0o700)
        os.chdir(NURSERY)
        self._root = os.open(b".", DIRECTORY)
        self._here = ROOT
        self._fd = -1
        self._ends_in_hole = False
        self._verbs: dict[str, Callable[..., None]] = {
            "file": self._file,
            "begin": self._begin,
            "data": self._data,
            "hole": self._hole,
            "end": self._end,
            "special": self._special,
            "set aside": self._set_aside,
        }

    def order(
        self, number: int, verb: str, arguments: tuple[Any, ...], content: memoryview | None = None
    ) -> None:
        """Do one thing in the directory of that number, which is made with the first in it."""
        if number != self._here:
            self._enter(number)
        if content is None:
            self._verbs[verb](*arguments)
        else:
            self._verbs[verb](*arguments, content)

    def finish(self) -> None:
        """No order follows."""
        self._enter(ROOT)

    def _enter(self, number: int) -> None:
        os.fchdir(self._root)
        self._here = number
        if number == ROOT:
            return
        name = b"%d" % number
        try:
            os.chdir(name)
        except FileNotFoundError:
            os.mkdir(name, 0o700)
            os.chdir(name)

    def _file(
        self,
        name: bytes,
        mode: int,
        uid: int,
        gid: int,
        mtime_ns: int,
        xattrs: Xattrs,
        content: memoryview,
    ) -> None:
        """A file that is here as a whole: nearly all are."""
        self._begin(name, mode, uid, gid)
        if content:
            write_all(self._fd, content)
        self._end(mtime_ns, xattrs)

    def _begin(self, name: bytes, mode: int, uid: int, gid: int) -> None:
        self._fd = os.open(name, _NEW_FILE, mode)
        if uid or gid:
            # chown(2) takes the set-id bits away, so the mode comes after it
            os.fchown(self._fd, uid, gid)
            os.fchmod(self._fd, mode)

    def _data(self, content: memoryview) -> None:
        self._ends_in_hole = False
        write_all(self._fd, content)

    def _hole(self, size: int) -> None:
        os.lseek(self._fd, size, os.SEEK_CUR)
        self._ends_in_hole = True

    def _end(self, mtime_ns: int, xattrs: Xattrs) -> None:
        fd = self._fd
        if self._ends_in_hole:
            os.ftruncate(fd, os.lseek(fd, 0, os.SEEK_CUR))
            self._ends_in_hole = False
        # after the content: writing takes a file's capabilities away (capabilities(7))
        if xattrs:
            set_xattrs(fd, xattrs)
        os.utime(fd, ns=(mtime_ns, mtime_ns))
        os.close(fd)

    def _special(
        self,
        name: bytes,
        mode: int,
        uid: int,
        gid: int,
        mtime_ns: int,
        xattrs: Xattrs,
        target: bytes,
        rdev: int,
    ) -> None:
        """A symlink, a device, or a FIFO."""
        if stat.S_ISLNK(mode):
            os.symlink(target, name)
        else:
            os.mknod(name, mode, os.makedev(*disk.device_numbers(rdev)))
        os.chown(name, uid, gid, follow_symlinks=False)
        if not stat.S_ISLNK(mode):
            os.chmod(name, stat.S_IMODE(mode))
        set_xattrs(name, xattrs)
        os.utime(name, ns=(mtime_ns, mtime_ns), follow_symlinks=False)

    def _set_aside(self, name: bytes, new_name: bytes) -> None:
        """Take an inode out of its directory, for another of its name, but keep it."""
        os.rename(name, new_name, dst_dir_fd=self._root)


def set_xattrs(target: bytes | int, xattrs: Xattrs) -> None:
    """Of an open file, or of a name in the working directory that is not followed."""
    for key, value in (xattrs or {}).items():
        try:
            os.setxattr(target, key, value, follow_symlinks=isinstance(target, int))
        except OSError as error:
            # ext4 keeps them in one block, and says that there is no space when they are larger
            if error.errno in _NOT_KEPT or (error.errno == errno.ENOSPC and len(value) > _SMALL):
                size = len(value)
                raise Unsupported(
                    f"xattr {key!r} of {size} bytes: the file system below cannot keep it"
                ) from error
            raise
