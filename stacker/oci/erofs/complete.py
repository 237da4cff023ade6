"""What a layer could not know while it streamed, made good by a small image above it.

Called when a layer and all below it are there. A layer may imply a directory, which then must look
as it does below; put files below a name that is a symlink there; hard link a file that only a lower
layer has; or hide what was never there. None of it changes the layer's own image, which everything
that has the layer shares: the corrections form an image of their own, valid over exactly these
lower layers.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace

from stacker.base.errors import Corrupt
from stacker.oci import whiteout
from stacker.oci.erofs.merged import Found, Merged, Path, Place, is_opaque
from stacker.oci.erofs.nodes import Attributes, Directory, Node
from stacker.oci.erofs.reader import Inode, Tree
from stacker.oci.erofs.writer import TreeWriter

SIZE_MAX = 64 << 30
"""Bytes of corrections, holes included; as a layer may have."""
_ZEROS = bytes(1 << 20)
_IMPLIED = Attributes(mode=stat.S_IFDIR | 0o755)
_WHITEOUT = Attributes(mode=stat.S_IFCHR)


class Completion:
    """Finds out what is to be corrected; `write` writes it, if `needed`."""

    def __init__(self, layer: Tree, lowers: Sequence[Tree]) -> None:
        self._layer = layer
        self._lower = Merged(lowers)
        self._all = Merged([*lowers, layer])
        self._directories: dict[Path, Attributes] = {}
        self._moves: list[tuple[Path, Inode]] = []
        """Implied directories whose names are symlinks below."""
        self._links: list[tuple[Path, Inode]] = []
        self._inspect()
        self.needed = bool(self._directories or self._moves or self._links)

    def write(self, writer: TreeWriter, uuid: bytes, *, size_max: int = SIZE_MAX) -> int:
        """Writes the image of corrections; returns its size.

        Corrupt where it would be larger than `size_max`: a few bytes of an archive are enough to
        ask for a copy of each large file below.
        """
        return _Correction(self._layer, self._lower, self._all, writer, size_max).write(
            self._directories, self._moves, self._links, uuid
        )

    def _inspect(self) -> None:
        stack: list[tuple[Path, Inode, Place]] = [((), self._layer.root, self._top())]
        while stack:
            path, directory, lower = stack.pop()
            for name, number in self._layer.entries(directory).items():
                inode = self._layer.inode(number)
                here = (*path, name)
                if inode.is_directory:
                    below = self._lower.child(lower, name)
                    if self._is_moved(here, inode, below):
                        self._moves.append((here, inode))
                    else:
                        stack.append((here, inode, [] if is_opaque(inode) else below))
                elif inode.xattr(whiteout.UNRESOLVED) is not None:
                    self._links.append((here, inode))
                elif inode.is_whiteout and path and not _is_directory(lower):
                    # overlayfs lists a directory that it has not merged with another as it is,
                    # whiteouts included; one that the correction has too is merged
                    self._directories.setdefault(path, _clean(directory.attributes))

    def _top(self) -> Place:
        """What shows of the lower layers below the root: nothing, where it is opaque."""
        return [] if is_opaque(self._layer.root) else self._lower.root

    def _is_moved(self, path: Path, inode: Inode, below: Place) -> bool:
        """Looks at an implied directory; True when what is in it belongs elsewhere."""
        if not below or inode.xattr(whiteout.IMPLIED) is None:
            return False
        lower = below[0].inode
        if lower.is_directory and _clean(lower.attributes) != _clean(inode.attributes):
            self._directories[path] = _clean(lower.attributes)
        return stat.S_ISLNK(lower.attributes.mode)


class _Correction:
    """The tree of corrections under construction."""

    def __init__(
        self, layer: Tree, lower: Merged, merged: Merged, writer: TreeWriter, size_max: int
    ) -> None:
        self._layer = layer
        self._own = Merged([layer])
        self._lower = lower
        self._all = merged
        self._writer = writer
        self._size_max = size_max
        # not listed: the root that is seen is another layer's
        mark = {whiteout.IMPLIED: b""}
        self._root = Directory(replace(_IMPLIED, xattrs=mark), None, listed=False)
        self._nodes: dict[tuple[int, int], Node] = {}
        self._known: dict[Path, Attributes] = {}
        self._moved: set[Path] = set()

    def write(
        self,
        directories: dict[Path, Attributes],
        moves: list[tuple[Path, Inode]],
        links: list[tuple[Path, Inode]],
        uuid: bytes,
    ) -> int:
        self._known = directories
        self._moved = {path for path, _ in moves}
        for path in directories:
            self._directory(path)
        for path, inode in moves:
            self._move(path, inode)
        for path, inode in links:
            self._link(path, inode)
        return self._writer.finish(self._root, uuid)

    def _directory(self, path: Path) -> Directory:
        """The directory of corrections at a path, made with all above it.

        Being the highest of those merged there, it must look as the one below would.
        """
        at = self._root
        for depth in range(1, len(path) + 1):
            child = at.children.get(path[depth - 1])
            if not isinstance(child, Directory):
                child = Directory(self._attributes(path[:depth]), at, listed=True)
                at.children[path[depth - 1]] = child
            at = child
        return at

    def _attributes(self, path: Path) -> Attributes:
        known = self._known.get(path)
        if known is not None:
            return known
        place = _walk(self._all, path)
        if _is_directory(place):
            return _clean(place[0].inode.attributes)
        return _IMPLIED

    def _move(self, path: Path, inode: Inode) -> None:
        """Shows the lower symlink, and the layer's files where it leads."""
        symlink = _walk(self._lower, path)
        self._directory(path[:-1]).children[path[-1]] = self._copy(symlink[0])
        real, place = self._lower.resolve(path, follow_last=True)
        if not (real or place) or (place and not place[0].inode.is_directory):
            raise Corrupt(f"/{b'/'.join(path).decode(errors='replace')}: is not a directory below")
        if is_opaque(inode):
            self._hide(real, place)
        stack = [(real, inode, place)]
        while stack:
            target, directory, lower = stack.pop()
            out = self._directory(target)
            for name, number in self._layer.entries(directory).items():
                child = self._layer.inode(number)
                here = (*target, name)
                below = self._lower.child(lower, name)
                if child.is_whiteout and not below:
                    continue  # it would show, as in `_inspect`
                if not child.is_directory:
                    out.children[name] = self._copy(Found(self._layer, child))
                    continue
                implied = child.xattr(whiteout.IMPLIED) is not None
                if implied and below:
                    self._known[here] = _clean(below[0].inode.attributes)
                else:
                    self._known[here] = _clean(child.attributes, opaque=is_opaque(child))
                stack.append((here, child, [] if is_opaque(child) else below))

    def _hide(self, path: Path, place: Place) -> None:
        """Hides what the lower layers have in a directory, a name at a time: an opaque directory
        here would hide what the layer itself has there."""
        own = _walk(self._own, path)
        directory = self._directory(path)
        names = {name for found in place for name in found.image.entries(found.inode)}
        for name in sorted(names):
            # what has been moved away is the layer's own only in its image
            kept = (*path, name) not in self._moved and self._own.child(own, name)
            if self._lower.child(place, name) and not kept:
                directory.children[name] = self._writer.add(_WHITEOUT)

    def _link(self, path: Path, inode: Inode) -> None:
        """Puts the lower file under the new name, and under its own, as one inode."""
        target = b"".join(self._layer.content(inode)).split(b"/")
        real, place = self._lower.resolve(target, follow_last=False)
        if not place:
            real, place = self._all.resolve(target, follow_last=False)
        if not place or place[0].inode.is_directory:
            name = b"/".join(target).decode(errors="replace")
            raise Corrupt(f"hard link to {name}: no lower layer has that file")
        node = self._copy(place[0])
        self._directory(path[:-1]).children[path[-1]] = node
        if not self._is_covered(real):
            self._directory(real[:-1]).children[real[-1]] = node

    def _is_covered(self, path: Path) -> bool:
        """Whether the layer itself decides what is at a path."""
        at = self._layer.root
        for name in path:
            if not at.is_directory or is_opaque(at):
                return True
            number = self._layer.entries(at).get(name)
            if number is None:
                return False
            at = self._layer.inode(number)
        return True

    def _copy(self, found: Found) -> Node:
        """A node of another image, with its content."""
        key = (id(found.image), found.inode.number)
        node = self._nodes.get(key)
        if node is None:
            inode = found.inode
            attributes = _clean(inode.attributes)
            if stat.S_ISREG(inode.format):
                if self._writer.size + inode.size > self._size_max:
                    raise Corrupt(f"its copies of lower files take over {self._size_max} bytes")
                node = self._writer.begin(attributes, inode.size)
                for piece in found.image.content(inode):
                    if not piece[0] and piece.tobytes() == _ZEROS[: len(piece)]:
                        self._writer.hole(len(piece))
                    else:
                        self._writer.data(piece)
            elif stat.S_ISLNK(inode.format):
                target = b"".join(found.image.content(inode))
                node = self._writer.add(attributes, content=target)
            else:
                node = self._writer.add(attributes, rdev=inode.first_block)
            self._nodes[key] = node
        return node


def _is_directory(place: Place) -> bool:
    return bool(place) and place[0].inode.is_directory


def _walk(tree: Merged, path: Path) -> Place:
    """What is at a path, symlinks not followed anywhere."""
    place = tree.root
    for name in path:
        place = tree.child(place, name)
    return place


def _clean(attributes: Attributes, *, opaque: bool = False) -> Attributes:
    """Without what overlayfs, or we, have to say about one layer only."""
    xattrs = {
        name: value
        for name, value in (attributes.xattrs or {}).items()
        if not name.startswith(whiteout.OVERLAY_PRIVATE)
    }
    if opaque:
        xattrs.update([whiteout.OVERLAY_OPAQUE])
    return replace(attributes, xattrs=xattrs)
