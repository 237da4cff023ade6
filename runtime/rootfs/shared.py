"""A container without a mount namespace: its mounts lie in the caller's tree, below its own root.

The specification has it inherit the caller's namespace. So the root is bound onto itself, which
makes one mount of it that holds all the others and that can be taken away as a whole, and entered
by chroot(2): a change of view and no wall, which is what such a container asks for.
"""

from __future__ import annotations

import os

from runtime.errors import NotSupported, step
from runtime.linux.constants import AT_FDCWD
from runtime.linux.mount import (
    MNT_DETACH,
    MS_PRIVATE,
    UMOUNT_NOFOLLOW,
    attach_at,
    clone_tree,
    mount_setattr,
    umount2,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.rootfs.maker import Maker


def bind_shared_root(maker: Maker, path: str) -> int:
    """The root's own mount, attached on its path; nothing that is done in it leaves it."""
    if not maker.has_attributes_of_trees:
        raise NotSupported("linux.namespaces: without a mount namespace Linux 5.12 is needed")
    root = clone_tree(AT_FDCWD, path, recursive=True)
    mount_setattr(root, propagation=MS_PRIVATE, recursive=True)
    attach_at(root, path)
    # a mount on a shared one becomes shared (mount_namespaces(7))
    mount_setattr(root, propagation=MS_PRIVATE, recursive=True)
    return root


def enter_shared_root(root: int) -> None:
    with step("change the root"):
        os.fchdir(root)
        os.chroot(".")
        os.chdir("/")


def mount_id(path: str) -> int:
    """The number of the uppermost mount on a path; 0 when nothing is there."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
            lines = file.read().splitlines()
    finally:
        os.close(fd)
    return next(int(line.split()[1]) for line in lines if line.startswith(b"mnt_id:"))


def take_root_away(path: str, number: int) -> None:
    """With all that is mounted in it; not when another mount lies there by now."""
    if number == 0 or mount_id(path) != number:
        return
    with step(f"unmount the root {path}"):
        # a bound tree of the host's would carry the unmounts back to where it is from
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        mount_setattr(fd, propagation=MS_PRIVATE, recursive=True)
        os.close(fd)
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)
