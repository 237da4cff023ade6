"""A layer's entries, in the order of the archive, as a tree: what a sequential unpacking leaves.

Rules, those of image-spec layer.md ("Applying Changesets") and of tar run in a chroot:

- A path is resolved from the layer's root: leading slashes and ``.`` mean nothing, ``..`` stops at
  the root, symlinks that the layer itself has put in the way are followed, absolute ones from the
  root. The last component is never followed. A path through anything else is corrupt.
- Directories that a path needs and nobody listed are made, and remembered as not listed; ``..``
  behind one that does not exist takes it back, as umoci does.
- A directory entry over a directory replaces its attributes; any other entry over anything
  removes it first, and what a directory then hides of lower layers stays hidden.
- A hard link shares the inode its target names at that moment; symlinks are not followed there.
- Whiteouts are collected and decided at the end, so that their position means nothing.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator

from stacker.base.errors import Corrupt
from stacker.oci import whiteout
from stacker.oci.erofs.nodes import Attributes, Directory, Name, Node

_NAME_MAX = 255
_SYMLINKS_MAX = 40  # path_resolution(7)
_PARENTS_MAX = 4096
_STEPS_PER_NODE = 64
"""Components to walk, on average, before an archive is refused as one that was made to be slow."""
TEXT_MAX = 64 << 20
"""Bytes of names, of symlinks' targets and of directories' xattrs, which are kept in memory until
the end: seventy for each of a million entries."""
_IMPLIED = Attributes(mode=stat.S_IFDIR | 0o755)


class Changeset:
    """The tree under construction."""

    def __init__(
        self,
        *,
        nodes_max: int,
        text_max: int = TEXT_MAX,
        replaced: Callable[[Node, Name], None] | None = None,
    ) -> None:
        """`replaced` is called with what is not a directory, before something else is there."""
        self.root = Directory(_IMPLIED, None, listed=False)
        self._parents: dict[bytes, Directory] = {}
        self._replaced = replaced
        self._nodes_left = nodes_max
        self._text_left = text_max
        self._steps_left = nodes_max * _STEPS_PER_NODE

    # -- entries -----------------------------------------------------------------------------

    def directory(self, path: bytes, attributes: Attributes) -> None:
        parent, name = self._locate(path)
        for xattr, value in (attributes.xattrs or {}).items():
            self.count_text(len(xattr) + len(value))
        if not name:
            self.root.attributes, self.root.listed = attributes, True
            return
        found = parent.children.get(name)
        if isinstance(found, Directory):
            found.attributes, found.listed = attributes, True
            return
        self._make_room(parent, name)
        self._new_directory(parent, name, attributes, listed=True).opaque = found is not None

    def put(self, path: bytes, node: Node) -> None:
        """Anything that is neither a directory nor a hard link."""
        parent, name = self.place(path)
        parent.children[name] = node

    def place(self, path: bytes) -> Name:
        """As `put`, for a node that is still to be made, and then set there."""
        parent, name = self._locate(path)
        if not name:
            raise Corrupt("/: is not a directory in the archive")
        self._count(name)
        self._make_room(parent, name)
        return parent, name

    def link(self, path: bytes, target: bytes) -> bool:
        """A hard link; False when this layer does not have what it names."""
        node = self._find(target)
        if node is None:
            return False
        if isinstance(node, Directory):
            raise Corrupt(f"{path!r}: a hard link to a directory")
        parent, name = self._locate(path)
        if not name:
            raise Corrupt("/: is not a directory in the archive")
        if parent.children.get(name) is not node:
            self._count(name)
            self._make_room(parent, name)
            parent.children[name] = node
        return True

    def whiteout(self, path: bytes) -> None:
        """An entry whose last component is reserved."""
        directory, _, name = path.rpartition(b"/")
        parent = self._parents.get(directory) or self._resolve(directory)
        if name == whiteout.OPAQUE_MARKER:
            parent.opaque = True
            return
        if parent.hidden is None:
            parent.hidden = set()
        hidden = whiteout.hidden_name(name)
        self.count_text(len(hidden))
        parent.hidden.add(hidden)

    def settle(self) -> Iterator[tuple[Directory, bytes]]:
        """Decides the whiteouts: yields those that need a whiteout node in their directory.

        Where nothing of lower layers shows, in and below an opaque directory, there must be none:
        overlayfs lists a directory that it has not merged as it is, whiteouts included.
        """
        stack = [(self.root, False)]
        while stack:
            directory, covered = stack.pop()
            hidden, directory.hidden = directory.hidden or (), None
            covered = covered or directory.opaque
            for name in () if covered else sorted(hidden):
                child = directory.children.get(name)
                if isinstance(child, Directory):
                    # what was below is gone, so there is nothing that it should look like
                    child.opaque = child.listed = True
                elif child is None:
                    yield directory, name
            stack += [
                (child, covered)
                for child in directory.children.values()
                if isinstance(child, Directory)
            ]

    # -- paths -------------------------------------------------------------------------------

    def _locate(self, path: bytes) -> tuple[Directory, bytes]:
        """The directory that a path's last component is in, and that component; root: no name."""
        before, _, name = path.rpartition(b"/")
        if name in (b"", b".", b".."):
            parts = [part for part in path.split(b"/") if part not in (b"", b".")]
            if not parts:
                return self.root, b""
            name = parts.pop()
            if name == b"..":
                raise Corrupt(f"{path!r}: ends in ..")
            before = b"/".join(parts)
        if len(name) > _NAME_MAX:
            raise Corrupt(f"{name[:32]!r}...: a name of {len(name)} bytes")
        if whiteout.is_reserved(name):
            raise Corrupt(f"{path!r}: the name is reserved for whiteouts")
        return self._parents.get(before) or self._resolve(before), name

    def _resolve(self, path: bytes) -> Directory:
        directory = self._walk(path, create=True)
        assert directory is not None
        if len(self._parents) >= _PARENTS_MAX:
            self._parents.clear()
        self._parents[path] = directory
        return directory

    def _walk(self, path: bytes, *, create: bool) -> Directory | None:
        """The directory that a path leads to; None when it does not exist and is not made."""
        at = self.root
        new: list[bytes] = []  # names below `at` that do not exist; ``..`` takes them back
        todo = path.split(b"/")[::-1]
        symlinks = 0
        while todo:
            part = todo.pop()
            self._count_step()
            if part in (b"", b"."):
                continue
            if part == b"..":
                if new:
                    new.pop()
                else:
                    at = at.parent
                continue
            if new:
                new.append(part)
                continue
            child = at.children.get(part)
            if isinstance(child, Directory):
                at = child
            elif child is None:
                if not create:
                    return None
                new.append(part)
            elif child.target:
                symlinks += 1
                if symlinks > _SYMLINKS_MAX:
                    raise Corrupt(f"{path!r}: too many symlinks")
                if child.target.startswith(b"/"):
                    at = self.root
                todo += child.target.split(b"/")[::-1]
            else:
                raise Corrupt(f"{path!r}: {part!r} is not a directory")
        return self._imply(at, new)

    def _imply(self, directory: Directory, names: list[bytes]) -> Directory:
        for name in names:
            if len(name) > _NAME_MAX:
                raise Corrupt(f"{name[:32]!r}...: a name of {len(name)} bytes")
            if whiteout.is_reserved(name):
                raise Corrupt(f"{name!r}: the name is reserved for whiteouts")
            directory = self._new_directory(directory, name, _IMPLIED, listed=False)
        return directory

    def _find(self, path: bytes) -> Node | Directory | None:
        parts = [part for part in path.split(b"/") if part not in (b"", b".")]
        if not parts:
            return self.root
        parent = self._walk(b"/".join(parts[:-1]), create=False)
        if parts[-1] == b"..":
            raise Corrupt(f"{path!r}: ends in ..")
        return parent.children.get(parts[-1]) if parent else None

    # -- changes -----------------------------------------------------------------------------

    def _count_step(self) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise Corrupt("paths that take too long to follow")

    def count_text(self, size: int) -> None:
        """So many bytes will be kept until the end."""
        self._text_left -= size
        if self._text_left < 0:
            raise Corrupt("names, symlinks and xattrs of directories take more than allowed")

    def _count(self, name: bytes) -> None:
        self.count_text(len(name))
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise Corrupt("more files and directories than allowed")

    def _new_directory(
        self, parent: Directory, name: bytes, attributes: Attributes, *, listed: bool
    ) -> Directory:
        self._count(name)
        fresh = Directory(attributes, parent, listed=listed)
        parent.children[name] = fresh
        return fresh

    def _make_room(self, parent: Directory, name: bytes) -> None:
        """What is there now will be replaced."""
        found = parent.children.get(name)
        if found is None:
            return
        if isinstance(found, Directory) or found.target:
            # paths that led through it lead elsewhere now
            self._parents.clear()
        if self._replaced and not isinstance(found, Directory):
            self._replaced(found, (parent, name))
