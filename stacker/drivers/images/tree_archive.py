"""A tree on disk as the entries of an archive: by descriptor, never through a link.

Names come sorted, so the same tree gives the same archive on any file system. Two kinds of tree are
read: a plain one, as it is; and the upper directory of an overlay, whose marks for what is gone
become whiteouts again (kernel: filesystems/overlayfs.rst, "whiteouts and opaque directories").
Blocks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stacker.base.errors import Invalid
from stacker.drivers.images.steps import on_disk
from stacker.oci import tar, whiteout
from stacker.oci.tar import writer
from stacker.oci.tree import TreeOptions

PIECE = 1 << 20
DEEPEST = 256
"""Directory levels: one descriptor is open for each."""

_KINDS = {
    stat.S_IFREG: tar.Kind.FILE,
    stat.S_IFLNK: tar.Kind.SYMLINK,
    stat.S_IFCHR: tar.Kind.CHAR,
    stat.S_IFBLK: tar.Kind.BLOCK,
    stat.S_IFDIR: tar.Kind.DIRECTORY,
    stat.S_IFIFO: tar.Kind.FIFO,
}
_XATTRS = (b"user.", b"security.capability", b"system.posix_acl_")
"""What a layer keeps; labels, signatures and overlayfs's own are the host's."""


def archive(folder: Path, options: TreeOptions) -> Generator[bytes]:
    """Yield the plain tar of a tree, with the end marker."""
    with on_disk(f"read {folder}"):
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield from _Reader(options).tree(root)
    finally:
        os.close(root)
    yield writer.END


class _Reader:
    def __init__(self, options: TreeOptions) -> None:
        self._options = options
        self._links: dict[tuple[int, int], bytes] = {}

    def tree(self, root: int) -> Iterator[bytes]:
        yield writer.header(self._entry(b"./", os.fstat(root), _xattrs(root)))
        yield from self._below(root, b"", 0)

    def _below(self, folder: int, path: bytes, depth: int) -> Iterator[bytes]:
        if depth > DEEPEST:
            raise Invalid(f"directories are nested deeper than {DEEPEST} levels")

        with on_disk("read directory"):
            names = sorted(map(os.fsencode, os.listdir(folder)))
        for name in names:
            with _opened(folder, name) as fd:
                if fd is not None:
                    yield from self._one(fd, path + name, depth)

    def _one(self, fd: int, path: bytes, depth: int) -> Iterator[bytes]:
        info = os.fstat(fd)
        name = path.rpartition(b"/")[2]
        if whiteout.is_reserved(name):
            raise Invalid(f"{os.fsdecode(path)!r}: a layer cannot hold a file of this name")
        if self._options.overlay and _hides(info):
            yield _empty(path[: -len(name)] + whiteout.PREFIX + name)
            return
        kind = _KINDS.get(stat.S_IFMT(info.st_mode))
        if kind is None or self._is_mount_point(fd, info, path):
            return  # a socket is nothing without the process that listens on it

        xattrs = _xattrs(fd)
        if kind is not tar.Kind.DIRECTORY and info.st_nlink > 1:
            first = self._links.setdefault((info.st_dev, info.st_ino), path)
            if first != path:
                yield writer.header(self._entry(path, info, {}, kind=tar.Kind.LINK, target=first))
                return
        target = os.readlink(b"", dir_fd=fd) if kind is tar.Kind.SYMLINK else b""
        yield writer.header(self._entry(path, info, xattrs, kind=kind, target=target))
        if kind is tar.Kind.FILE:
            yield from _content(fd, info.st_size)
        elif kind is tar.Kind.DIRECTORY:
            inner = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if self._options.overlay and _is_opaque(fd):
                    yield _empty(path + b"/" + whiteout.OPAQUE_MARKER)
                yield from self._below(inner, path + b"/", depth + 1)
            finally:
                os.close(inner)

    def _entry(
        self,
        path: bytes,
        info: os.stat_result,
        xattrs: Mapping[bytes, bytes],
        *,
        kind: tar.Kind = tar.Kind.DIRECTORY,
        target: bytes = b"",
    ) -> tar.Entry:
        owner = self._options.owner or (info.st_uid, info.st_gid)
        latest = self._options.latest_ns
        is_device = kind in (tar.Kind.CHAR, tar.Kind.BLOCK)
        return tar.Entry(
            name=path,
            kind=kind,
            mode=stat.S_IMODE(info.st_mode),
            uid=owner[0],
            gid=owner[1],
            size=info.st_size if kind is tar.Kind.FILE else 0,
            mtime_ns=info.st_mtime_ns if latest is None else min(info.st_mtime_ns, latest),
            target=target,
            major=os.major(info.st_rdev) if is_device else 0,
            minor=os.minor(info.st_rdev) if is_device else 0,
            xattrs=xattrs,
        )

    def _is_mount_point(self, fd: int, info: os.stat_result, path: bytes) -> bool:
        if path not in self._options.mount_points:
            return False
        if stat.S_ISDIR(info.st_mode):
            return not os.listdir(f"/proc/self/fd/{fd}")
        return stat.S_ISREG(info.st_mode) and info.st_size == 0


@contextmanager
def _opened(folder: int, name: bytes) -> Generator[int | None]:
    """The thing itself, whatever it is; None when it has gone since it was listed."""
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        yield None
        return
    try:
        with on_disk(f"read {os.fsdecode(name)!r}"):
            yield fd
    finally:
        os.close(fd)


def _content(fd: int, size: int) -> Iterator[bytes]:
    """Exactly so many bytes: what a file has lost meanwhile is made up with zeros."""
    left = size
    stream = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        while left:
            piece = os.read(stream, min(PIECE, left)) or bytes(min(PIECE, left))
            left -= len(piece)
            yield piece
    finally:
        os.close(stream)
    yield writer.padding(size)


def _xattrs(fd: int) -> dict[bytes, bytes]:
    place = f"/proc/self/fd/{fd}"
    names = (name for name in os.listxattr(place) if os.fsencode(name).startswith(_XATTRS))
    return {os.fsencode(name): os.getxattr(place, name) for name in names}


def _hides(info: os.stat_result) -> bool:
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def _is_opaque(fd: int) -> bool:
    name, value = whiteout.OVERLAY_OPAQUE
    try:
        return os.getxattr(f"/proc/self/fd/{fd}", name) == value
    except OSError:
        return False  # it has no such xattr


def _empty(path: bytes) -> bytes:
    entry = tar.Entry(name=path, kind=tar.Kind.FILE, mode=0o600, uid=0, gid=0, size=0, mtime_ns=0)
    return writer.header(entry)
