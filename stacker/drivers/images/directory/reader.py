"""Looking things up in a layer's directory tree, through the same calls as the EROFS reader.

Called by `worker` to complete a layer from those below it. An inode's number is the kernel's; each
is reached from the tree's root by single components, none of which is followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from stacker.oci.erofs import format as disk
from stacker.oci.erofs.nodes import Attributes
from stacker.oci.erofs.reader import Inode

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 20
_NO_XATTRS = (errno.ENOTSUP, errno.ENODATA)


class DirectoryImage:
    """As `stacker.oci.erofs.reader.Image`."""

    def __init__(self, root: int) -> None:
        self._root_fd = root
        self._root = os.fstat(root).st_ino
        self._parents: dict[int, tuple[int, bytes]] = {}
        self._directories: dict[int, dict[bytes, int]] = {}

    @property
    def root(self) -> Inode:
        return self.inode(self._root)

    def inode(self, number: int) -> Inode:
        directory, name = self._open_parent(number)
        try:
            found = os.lstat(name, dir_fd=directory)
            xattrs = _xattrs(directory, name)
        finally:
            os.close(directory)
        kind = stat.S_IFMT(found.st_mode)
        is_device = kind in (stat.S_IFCHR, stat.S_IFBLK)
        rdev = disk.device(os.major(found.st_rdev), os.minor(found.st_rdev)) if is_device else 0
        return Inode(
            number=number,
            attributes=Attributes(
                mode=found.st_mode,
                uid=found.st_uid,
                gid=found.st_gid,
                mtime_ns=found.st_mtime_ns,
                xattrs=xattrs or None,
            ),
            size=found.st_size,
            first_block=rdev,
            tail_at=0,
        )

    def content(self, inode: Inode) -> Iterator[memoryview]:
        """The data of a file or symlink."""
        directory, name = self._open_parent(inode.number)
        try:
            if inode.format == stat.S_IFLNK:
                yield memoryview(os.readlink(name, dir_fd=directory))
                return
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        finally:
            os.close(directory)
        try:
            while piece := os.read(fd, _PIECE):
                yield memoryview(piece)
        finally:
            os.close(fd)

    def entries(self, directory: Inode) -> dict[bytes, int]:
        """Names and inode numbers."""
        found = self._directories.get(directory.number)
        if found is None:
            fd = self._open(directory.number)
            try:
                with os.scandir(fd) as entries:
                    found = {os.fsencode(entry.name): entry.inode() for entry in entries}
            finally:
                os.close(fd)
            self._directories[directory.number] = found
            for name, number in found.items():
                self._parents.setdefault(number, (directory.number, name))
        return found

    def _open(self, number: int) -> int:
        """A directory of the tree."""
        names: list[bytes] = []
        while number != self._root:
            number, name = self._parents[number]
            names.append(name)
        fd = os.open(b".", _LOOK | os.O_DIRECTORY, dir_fd=self._root_fd)
        for name in reversed(names):
            stepped = os.open(name, _LOOK | os.O_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = stepped
        readable = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        os.close(fd)
        return readable

    def _open_parent(self, number: int) -> tuple[int, bytes]:
        if number == self._root:
            return os.dup(self._root_fd), b"."
        parent, name = self._parents[number]
        return self._open(parent), name


def _xattrs(directory: int, name: bytes) -> dict[bytes, bytes]:
    """There is no listxattrat(2) before Linux 6.13; this process may change its directory."""
    back = os.open(b".", _LOOK | os.O_DIRECTORY)
    os.fchdir(directory)
    try:
        return {
            os.fsencode(key): os.getxattr(name, key, follow_symlinks=False)
            for key in os.listxattr(name, follow_symlinks=False)
        }
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return {}
        raise
    finally:
        os.fchdir(back)
        os.close(back)
