"""The directory tree of a layer, through the same calls as the EROFS writer.

Called by `worker`, whose working directory is the nursery: there each inode lies under its number
until `finish` knows where it belongs. Every name that the kernel is given is one component, and
none is ever followed. The umask is 0, so that a file has its mode from the start. Raises OSError.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from stacker.base.errors import Corrupt, Unsupported
from stacker.base.writing import write_all
from stacker.drivers.images.directory.places import NURSERY, TREE
from stacker.drivers.images.directory.walk import DIRECTORY, step
from stacker.oci.erofs import format as disk
from stacker.oci.erofs.directories import walk
from stacker.oci.erofs.nodes import Attributes, Directory, Node

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_KEPT = (errno.ENOTSUP, errno.E2BIG, errno.ERANGE)
_SMALL = 1024
_TREE = os.fsencode(f"../{TREE}")


class DirectoryWriter:
    """As `stacker.oci.erofs.writer.Writer`."""

    def __init__(self) -> None:
        os.mkdir(TREE, 0o700)
        os.mkdir(NURSERY, 0o700)
        os.chdir(NURSERY)
        self._count = 0
        self._fd = -1
        self._left = 0
        self._open: Attributes | None = None
        self._ends_in_hole = False
        self.size = 0
        """Bytes of all files, holes included."""

    # -- what is not a directory -------------------------------------------------------------

    def add(self, attributes: Attributes, *, content: bytes = b"", rdev: int = 0) -> Node:
        """A symlink with its target, a device, or a FIFO."""
        self._count += 1
        node, name = Node(attributes.mode, self._count), b"%d" % self._count
        if node.format == stat.S_IFLNK:
            os.symlink(content, name)
        else:
            os.mknod(name, attributes.mode, os.makedev(*disk.device_numbers(rdev)))
        # chown(2) takes the set-id bits away, so the mode comes after it
        os.chown(name, attributes.uid, attributes.gid, follow_symlinks=False)
        if node.format != stat.S_IFLNK:
            os.chmod(name, stat.S_IMODE(attributes.mode))
        _set_xattrs(name, attributes)
        os.utime(name, ns=(attributes.mtime_ns, attributes.mtime_ns), follow_symlinks=False)
        return node

    def begin(self, attributes: Attributes, size: int) -> Node:
        """A file whose content follows through `data` and `hole`, `size` bytes in all."""
        self._count += 1
        name = b"%d" % self._count
        mode = attributes.mode & 0o7777
        self._fd = os.open(name, _NEW_FILE, mode)
        if attributes.uid or attributes.gid:
            os.fchown(self._fd, attributes.uid, attributes.gid)
            os.fchmod(self._fd, mode)
        self._left = size
        self.size += size
        self._open = attributes
        if not size:
            self._close()
        return Node(attributes.mode, self._count)

    def data(self, view: memoryview) -> None:
        """The next bytes of the open file; never more than it was announced with."""
        self._left -= len(view)
        if self._left < 0 or self._open is None:
            raise Corrupt("file content is longer than its header says")
        self._ends_in_hole = False
        write_all(self._fd, view)
        if not self._left:
            self._close()

    def hole(self, size: int) -> None:
        """So many zero bytes, of which none is stored."""
        self._left -= size
        if self._left < 0 or self._open is None:
            raise Corrupt("file content is longer than its header says")
        os.lseek(self._fd, size, os.SEEK_CUR)
        self._ends_in_hole = True
        if not self._left:
            self._close()

    def _close(self) -> None:
        assert self._open is not None
        attributes = self._open
        if self._ends_in_hole:
            os.ftruncate(self._fd, os.lseek(self._fd, 0, os.SEEK_CUR))
            self._ends_in_hole = False
        # after the content: writing takes a file's capabilities away (capabilities(7))
        if attributes.xattrs:
            _set_xattrs(self._fd, attributes)
        os.utime(self._fd, ns=(attributes.mtime_ns, attributes.mtime_ns))
        os.close(self._fd)
        self._open = None

    # -- the end -----------------------------------------------------------------------------

    def finish(self, root: Directory, uuid: bytes) -> int:
        """Gives everything its name. A directory tree has no identity: `uuid` is for images."""
        if self._open is not None:
            raise Corrupt("file content is shorter than its header says")
        for directory in walk(root):
            for child in directory.children.values():
                if isinstance(child, Node):
                    child.links += 1
        for fd, directory in _visit(root):
            _populate(fd, directory)
        return self.size


def _visit(root: Directory) -> Iterator[tuple[int, Directory]]:
    """Every directory with a descriptor of it, parents first; one descriptor at a time, because
    an archive may nest deeper than there are descriptors. ``..`` leads up a tree of our own."""
    fd = os.open(_TREE, DIRECTORY)
    try:
        yield fd, root
        stack = [_subdirectories(root)]
        while stack:
            for name, child in stack[-1]:
                fd = step(fd, name)
                yield fd, child
                stack.append(_subdirectories(child))
                break
            else:
                stack.pop()
                if stack:
                    fd = step(fd, b"..")
    finally:
        os.close(fd)


def _subdirectories(directory: Directory) -> Iterator[tuple[bytes, Directory]]:
    for name, child in directory.children.items():
        if isinstance(child, Directory):
            yield name, child


def _populate(fd: int, directory: Directory) -> None:
    """Everything directly in a directory, then its own attributes: nothing touches them later."""
    for name, child in directory.children.items():
        if isinstance(child, Directory):
            os.mkdir(name, 0o700, dir_fd=fd)
        elif child.links == 1:
            os.rename(b"%d" % child.place, name, dst_dir_fd=fd)
        else:
            os.link(b"%d" % child.place, name, dst_dir_fd=fd, follow_symlinks=False)
    attributes = directory.attributes
    os.fchown(fd, attributes.uid, attributes.gid)
    os.fchmod(fd, stat.S_IMODE(attributes.mode))
    _set_xattrs(fd, attributes)
    os.utime(fd, ns=(attributes.mtime_ns, attributes.mtime_ns))


def _set_xattrs(target: bytes | int, attributes: Attributes) -> None:
    for key, value in (attributes.xattrs or {}).items():
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
