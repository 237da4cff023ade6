"""From the host's tree into the container's: propagation, and pivot_root."""

from __future__ import annotations

import errno
import os

from runtime.errors import step
from runtime.linux.mount import (
    MNT_DETACH,
    MS_MOVE,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
    mount,
    pivot_root,
    umount2,
)
from runtime.rootfs.options import PROPAGATIONS


def isolate_mounts(propagation: str, root: str, *, pivot: bool) -> None:
    """What we mount must not reach the host; what the host mounts reaches us as asked.

    "shared" is the exception: the volumes of such a container are the host's mounts, in both
    directions, which is what it is for. There only the mount that the root lies in becomes
    private, so that the root, and what is mounted in it, stays ours.
    """
    flag, _ = PROPAGATIONS[propagation or "rslave"]
    with step("set the propagation of /"):
        if flag == MS_SHARED and pivot:
            _make_parent_private(root)
        else:
            # to be unbindable or shared is for the root after the pivot
            mount(None, "/", None, (flag if flag == MS_PRIVATE else MS_SLAVE) | MS_REC)


def _make_parent_private(path: str) -> None:
    """Of the mount that `path`, which has no links in it, lies in."""
    while True:
        try:
            mount(None, path, None, MS_PRIVATE)
        except OSError as error:
            # "not a mount point" (mount(2)): it lies in the mount of a directory above
            if error.errno != errno.EINVAL or path == "/":
                raise
            path = os.path.dirname(path)
        else:
            return


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


def finish_root(propagation: str) -> None:
    """After the pivot, which no shared mount may take part in (pivot_root(2))."""
    flag, whole_tree = PROPAGATIONS.get(propagation, (0, False))
    if flag in (MS_SHARED, MS_UNBINDABLE):
        with step("set the propagation of the root"):
            mount(None, "/", None, flag | (MS_REC if whole_tree else 0))
