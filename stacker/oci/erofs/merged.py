"""Several images looked at as one tree, as overlayfs would show it.

Called by `complete`. A place in the merged tree is the list of what the images have there, highest
first: one inode for anything but a directory, all the merged directories for one.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from stacker.oci import whiteout
from stacker.oci.erofs.reader import Inode, Tree

_SYMLINKS_MAX = 40


@dataclass(frozen=True, slots=True)
class Found:
    """An inode and the image it is in."""

    image: Tree
    inode: Inode


Place: TypeAlias = list[Found]
Path: TypeAlias = tuple[bytes, ...]


class Merged:
    """Images, lowest first."""

    def __init__(self, images: Sequence[Tree]) -> None:
        self.root: Place = []
        for image in reversed(images):
            self.root.append(Found(image, image.root))
            if is_opaque(image.root):
                break

    def child(self, directory: Place, name: bytes) -> Place:
        """What a name leads to; nothing when it is not there, or `directory` is none."""
        place: Place = []
        for found in directory:
            if not found.inode.is_directory:
                break
            number = found.image.entries(found.inode).get(name)
            if number is None:
                continue
            inode = found.image.inode(number)
            if inode.is_whiteout or (place and not inode.is_directory):
                break
            place.append(Found(found.image, inode))
            if not inode.is_directory or is_opaque(inode):
                break
        return place

    def resolve(self, path: Sequence[bytes], *, follow_last: bool) -> tuple[Path, Place]:
        """Where a path leads from the root, symlinks followed, and what is there.

        The first part is the path without symlinks; when something on the way does not exist, the
        rest of the path is taken as it stands. Nothing at all for a loop of symlinks.
        """
        real: list[tuple[bytes, Place]] = []
        todo = list(reversed(path))
        symlinks = 0
        while todo:
            name = todo.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                del real[-1:]
                continue
            place = self.child(real[-1][1] if real else self.root, name)
            if place and stat.S_ISLNK(place[0].inode.attributes.mode) and (todo or follow_last):
                symlinks += 1
                if symlinks > _SYMLINKS_MAX:
                    return (), []
                target = b"".join(place[0].image.content(place[0].inode))
                if target.startswith(b"/"):
                    real.clear()
                todo += reversed(target.split(b"/"))
                continue
            real.append((name, place))
        return tuple(name for name, _ in real), real[-1][1] if real else self.root


def is_opaque(inode: Inode) -> bool:
    name, value = whiteout.OVERLAY_OPAQUE
    return inode.xattr(name) == value
