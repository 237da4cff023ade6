"""Archive entries into the image writer: which become what, and which are refused.

Called by `layers`. Follows image-spec layer.md through `stacker.oci.erofs.changeset`; what an
archive must not say about the overlay that will lie over it is dropped or refused here.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import replace

from stacker.base.errors import Corrupt
from stacker.oci import tar, whiteout
from stacker.oci.erofs import format as disk
from stacker.oci.erofs.changeset import Changeset
from stacker.oci.erofs.directories import walk
from stacker.oci.erofs.nodes import Attributes
from stacker.oci.erofs.writer import TreeWriter
from stacker.oci.erofs.xattrs import storable

_FORMATS = {
    tar.Kind.FILE: stat.S_IFREG,
    tar.Kind.SYMLINK: stat.S_IFLNK,
    tar.Kind.CHAR: stat.S_IFCHR,
    tar.Kind.BLOCK: stat.S_IFBLK,
    tar.Kind.DIRECTORY: stat.S_IFDIR,
    tar.Kind.FIFO: stat.S_IFIFO,
}
_FILE = stat.S_IFREG
_WHITEOUT = Attributes(mode=stat.S_IFCHR)
_XATTRS_KEPT = (b"user.", b"security.capability", b"system.posix_acl_")
_XATTR_MAX = 65_535  # one less than XATTR_SIZE_MAX: the format of EROFS has 16 bits for it
_XATTRS_DROPPED = (b"user.overlay.",)


class LayerTree:
    """Takes the tar reader's events in order."""

    def __init__(self, writer: TreeWriter, entries_max: int, size_max: int) -> None:
        self._writer = writer
        self._changes = Changeset(nodes_max=entries_max, replaced=writer.replaced)
        self._size_max = size_max
        self.implied = False
        """See `LayerResult`; certain once `finish` was called."""

    def apply(self, events: Iterable[tar.Event]) -> None:
        writer = self._writer
        for event in events:
            if isinstance(event, memoryview):
                writer.data(event)
            elif isinstance(event, tar.Hole):
                writer.hole(event.size)
            else:
                self._entry(event)

    def finish(self, *, uuid: bytes) -> int:
        """Settles whiteouts and writes the directories; returns the size of the layer."""
        for directory, name in self._changes.settle():
            directory.children[name] = self._writer.add(_WHITEOUT, at=(directory, name))
            self.implied |= directory is not self._changes.root
        self._mark()
        return self._writer.finish(self._changes.root, uuid)

    def _entry(self, entry: tar.Entry) -> None:
        path, kind = entry.name, entry.kind
        # the first test is the quick one: hardly any path has the prefix anywhere
        if whiteout.PREFIX in path and whiteout.is_reserved(path.rpartition(b"/")[2]):
            if kind is not tar.Kind.FILE or entry.size:
                raise Corrupt(f"{path!r}: a whiteout is an empty file")
            self._changes.whiteout(path)
        elif kind is tar.Kind.LINK:
            if not self._changes.link(path, entry.target):
                self._unresolved(path, entry)
        elif kind is tar.Kind.DIRECTORY:
            self._changes.directory(path, _attributes(entry))
        else:
            self._node(path, entry)

    def _node(self, path: bytes, entry: tar.Entry) -> None:
        attributes = _attributes(entry)
        directory, name = at = self._changes.place(path)
        if entry.kind is tar.Kind.FILE:
            if self._writer.size + entry.size > self._size_max:
                raise Corrupt(f"{path!r}: the layer is larger than {self._size_max} bytes")
            node = self._writer.begin(attributes, entry.size, at)
        elif entry.kind is tar.Kind.CHAR and not entry.major | entry.minor:
            # overlayfs would take it for a whiteout
            raise Corrupt(f"{path!r}: a character device 0:0")
        else:
            rdev = disk.device(entry.major, entry.minor)
            node = self._writer.add(attributes, content=entry.target, rdev=rdev, at=at)
            self._changes.count_text(len(entry.target))
            node.target = entry.target
        directory.children[name] = node

    def _unresolved(self, path: bytes, entry: tar.Entry) -> None:
        """A hard link to what only a lower layer can have: noted as a symlink with a mark."""
        attributes = Attributes(mode=stat.S_IFLNK | 0o777, xattrs={whiteout.UNRESOLVED: b""})
        directory, name = at = self._changes.place(path)
        node = self._writer.add(attributes, content=entry.target, at=at)
        directory.children[name] = node
        self.implied = True

    def _mark(self) -> None:
        """Gives directories the xattrs by which overlayfs, and we, know them."""
        for directory in walk(self._changes.root):
            if directory.listed and not directory.opaque:
                continue
            xattrs = dict(directory.attributes.xattrs or {})
            if directory.opaque:
                xattrs.update([whiteout.OVERLAY_OPAQUE])
            if not directory.listed:
                xattrs[whiteout.IMPLIED] = b""
                self.implied |= directory is not self._changes.root
            directory.attributes = replace(directory.attributes, xattrs=xattrs)


def _attributes(entry: tar.Entry) -> Attributes:
    return Attributes(
        # an Enum is hashed by Python code, and nearly all entries are files
        mode=(_FILE if entry.kind is tar.Kind.FILE else _FORMATS[entry.kind]) | entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        mtime_ns=entry.mtime_ns,
        xattrs=_kept(entry) if entry.xattrs else None,
    )


def _kept(entry: tar.Entry) -> dict[bytes, bytes]:
    """What a layer may set: overlayfs's own, and the labels of the host's LSMs, are not its."""
    # xattr(7): user attributes are for regular files and directories
    user_allowed = entry.kind in (tar.Kind.FILE, tar.Kind.DIRECTORY)
    kept = _XATTRS_KEPT if user_allowed else _XATTRS_KEPT[1:]
    for name, value in entry.xattrs.items():
        if len(value) > _XATTR_MAX:
            raise Corrupt(f"{entry.name!r}: xattr {name!r}: {len(value)} bytes")
    return {
        name: value
        for name, value in entry.xattrs.items()
        if name.startswith(kept) and not name.startswith(_XATTRS_DROPPED) and storable(name)
    }
