"""The directory tree of a layer, through the same calls as the EROFS writer.

Called by `worker`. What is not a directory is made at once, in the nursery, in the numbered
directory that stands for its own; `finish` gives the other names of hard links, and then every
directory its place, one component at a time below an open descriptor. Raises OSError.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any, Protocol

from stacker.base.errors import Corrupt
from stacker.drivers.images.directory.nursery import ROOT, set_xattrs
from stacker.drivers.images.directory.places import TREE
from stacker.drivers.images.directory.walk import DIRECTORY, step
from stacker.oci.erofs.directories import walk
from stacker.oci.erofs.nodes import Attributes, Directory, Name, Node

_TREE = os.fsencode(f"../{TREE}")


class Hands(Protocol):
    """Who makes the inodes: `Nursery`, or `Maker`."""

    def order(
        self, number: int, verb: str, arguments: tuple[Any, ...], content: memoryview | None = None
    ) -> None: ...

    def finish(self) -> None:
        """All is made; the nursery is the working directory."""
        ...


class _Made(Node):
    """Lies in the numbered directory `place` under `name`."""

    __slots__ = ("name",)

    def __init__(self, mode: int, place: int, name: bytes) -> None:
        super().__init__(mode, place)
        self.name = name


class DirectoryWriter:
    """As `stacker.oci.erofs.writer.Writer`."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._count = 0
        self._open: tuple[int, bytes, Attributes] | None = None
        self._begun = False
        self._left = 0
        self.size = 0
        """Bytes of all files, holes included."""

    # -- what is not a directory -------------------------------------------------------------

    def add(
        self,
        attributes: Attributes,
        *,
        content: bytes = b"",
        rdev: int = 0,
        at: Name | None = None,
    ) -> Node:
        """A symlink with its target, a device, or a FIFO."""
        number, name = self._home(at)
        mode, uid, gid, mtime_ns, xattrs = _plain(attributes)
        arguments = (name, mode, uid, gid, mtime_ns, xattrs, content, rdev)
        self._hands.order(number, "special", arguments)
        return _Made(mode, number, name)

    def begin(self, attributes: Attributes, size: int, at: Name | None = None) -> Node:
        """A file whose content follows through `data` and `hole`, `size` bytes in all."""
        number, name = self._home(at)
        self._left = size
        self.size += size
        self._open = number, name, attributes
        self._begun = False
        if not size:
            self.data(memoryview(b""))
        return _Made(attributes.mode, number, name)

    def data(self, view: memoryview) -> None:
        """The next bytes of the open file; never more than it was announced with."""
        number, name, attributes = self._take(len(view))
        mode, uid, gid, mtime_ns, xattrs = _plain(attributes)
        if self._left or self._begun:
            self._begin()
            self._hands.order(number, "data", (), view)
            self._end()
        else:
            arguments = (name, mode & 0o7777, uid, gid, mtime_ns, xattrs)
            self._hands.order(number, "file", arguments, view)
            self._open = None

    def hole(self, size: int) -> None:
        """So many zero bytes, of which none is stored."""
        number, _, _ = self._take(size)
        self._begin()
        self._hands.order(number, "hole", (size,))
        self._end()

    def replaced(self, node: Node, at: Name) -> None:
        """Something else takes a name; what had it may have others."""
        directory, name = at
        if isinstance(node, _Made) and _is_at_home(node, directory, name):
            number, node.place = node.place, ROOT
            node.name = self._number()
            self._hands.order(number, "set aside", (name, node.name))

    def _take(self, size: int) -> tuple[int, bytes, Attributes]:
        self._left -= size
        if self._left < 0 or self._open is None:
            raise Corrupt("file content is longer than its header says")
        return self._open

    def _begin(self) -> None:
        """The file comes in parts."""
        if self._begun or self._open is None:
            return
        number, name, attributes = self._open
        mode, uid, gid, _, _ = _plain(attributes)
        self._hands.order(number, "begin", (name, mode & 0o7777, uid, gid))
        self._begun = True

    def _end(self) -> None:
        if self._left or self._open is None:
            return
        number, _, attributes = self._open
        _, _, _, mtime_ns, xattrs = _plain(attributes)
        self._hands.order(number, "end", (mtime_ns, xattrs))
        self._open = None

    def _home(self, at: Name | None) -> tuple[int, bytes]:
        """Where a new inode is made."""
        if at is None:
            return ROOT, self._number()
        directory, name = at
        if not directory.place:
            self._count += 1
            directory.place = self._count
        return directory.place, name

    def _number(self) -> bytes:
        self._count += 1
        return b"%d" % self._count

    # -- the end -----------------------------------------------------------------------------

    def finish(self, root: Directory, uuid: bytes) -> int:
        """Completes the tree. A directory tree has no identity: `uuid` is for images."""
        if self._open is not None:
            raise Corrupt("file content is shorter than its header says")
        self._hands.finish()
        for directory in walk(root):
            self._link(directory)
        _put(root, _TREE, None)
        for fd, directory in _visit(root):
            _complete(fd, directory)
        return self.size

    def _link(self, directory: Directory) -> None:
        """The names of inodes that were made elsewhere."""
        missing = [
            (name, child)
            for name, child in directory.children.items()
            if isinstance(child, _Made) and not _is_at_home(child, directory, name)
        ]
        if not missing:
            return
        if not directory.place:
            self._count += 1
            directory.place = self._count
            os.mkdir(b"%d" % directory.place, 0o700)
        target = os.open(b"%d" % directory.place, DIRECTORY)
        for name, child in missing:
            home = os.open(b"%d" % child.place if child.place != ROOT else b".", DIRECTORY)
            os.link(child.name, name, src_dir_fd=home, dst_dir_fd=target, follow_symlinks=False)
            os.close(home)
        os.close(target)


def _plain(attributes: Attributes) -> tuple[int, int, int, int, dict[bytes, bytes] | None]:
    xattrs = attributes.xattrs
    return (
        attributes.mode,
        attributes.uid,
        attributes.gid,
        attributes.mtime_ns,
        dict(xattrs) if xattrs else None,
    )


def _is_at_home(node: _Made, directory: Directory, name: bytes) -> bool:
    return node.place == directory.place != ROOT and node.name == name


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


def _put(directory: Directory, name: bytes, fd: int | None) -> None:
    """Its place, for a directory that has something in it, or a new one."""
    if directory.place:
        os.rename(b"%d" % directory.place, name, dst_dir_fd=fd)
    else:
        os.mkdir(name, 0o700, dir_fd=fd)


def _complete(fd: int, directory: Directory) -> None:
    """The directories in it, then its own attributes: nothing touches them later."""
    for name, child in _subdirectories(directory):
        _put(child, name, fd)
    attributes = directory.attributes
    os.fchown(fd, attributes.uid, attributes.gid)
    os.fchmod(fd, stat.S_IMODE(attributes.mode))
    set_xattrs(fd, attributes.xattrs)
    os.utime(fd, ns=(attributes.mtime_ns, attributes.mtime_ns))
