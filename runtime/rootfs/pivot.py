"""From the host's tree into the container's: the root as a mount, and pivot_root."""

from __future__ import annotations

import os

from runtime.errors import step
from runtime.linux.constants import AT_FDCWD
from runtime.linux.mount import (
    MNT_DETACH,
    MOUNT_ATTR_RDONLY,
    MS_MOVE,
    MS_PRIVATE,
    MS_REC,
    MS_SLAVE,
    attach_at,
    clone_tree,
    mount,
    mount_setattr,
    pivot_root,
    umount2,
)
from runtime.rootfs.options import PROPAGATIONS


def isolate_mounts(propagation: str) -> None:
    """Nothing we mount from here on reaches the host; what the host mounts reaches us as asked."""
    flag, _ = PROPAGATIONS[propagation or "rslave"]
    with step("set the propagation of /"):
        # shared would carry our mounts out to the host until after the pivot
        wanted = flag if flag in (MS_SLAVE, MS_PRIVATE) else MS_SLAVE
        mount(None, "/", None, wanted | MS_REC)


def open_root(path: str) -> int:
    """The container's root as a mount of its own (pivot_root wants one), by its fd."""
    with step(f"bind the root {path}"):
        root = clone_tree(AT_FDCWD, path, recursive=True)
        attach_at(root, path)
    return root


def enter_root(root: int) -> None:
    """Make `root` the root and let go of the host's tree (pivot_root(2), "." over ".")."""
    with step("pivot into the root"):
        old = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fchdir(root)
        pivot_root(".", ".")
        # now / is the container's and the host's tree is stacked on it: away, without
        # carrying the unmount back to the host
        os.fchdir(old)
        mount(None, ".", None, MS_SLAVE | MS_REC)
        umount2(".", MNT_DETACH)
        os.close(old)
        os.chdir("/")


def enter_root_without_pivot(root: int) -> None:
    """For a host whose root is an initramfs, which pivot_root refuses (--no-pivot)."""
    with step("move into the root"):
        os.fchdir(root)
        mount(".", "/", None, MS_MOVE)
        os.chroot(".")
        os.chdir("/")


def finish_root(*, readonly: bool, propagation: str) -> None:
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with step("set the root's attributes"):
            if readonly:
                mount_setattr(root, set_=MOUNT_ATTR_RDONLY)
            flag, whole_tree = PROPAGATIONS.get(propagation, (0, False))
            if flag not in (0, MS_SLAVE, MS_PRIVATE):
                mount_setattr(root, propagation=flag, recursive=whole_tree)
    finally:
        os.close(root)
