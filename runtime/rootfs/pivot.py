"""From the host's tree into the container's: propagation, and pivot_root."""

from __future__ import annotations

import errno
import os

from runtime.errors import step
from runtime.linux.mount import (
    MNT_DETACH,
    MS_MOVE,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
    mount,
    pivot_root,
    umount2,
)
from runtime.rootfs.options import PROPAGATIONS

# of proc_pid_mountinfo(5)
_ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


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
    """For a host whose root is an initramfs, which pivot_root refuses (--no-pivot).

    The host's tree stays in the namespace, below the root. Nobody gets to it; but while a procfs
    or sysfs without masks is there, a user namespace is allowed to mount one (kernel:
    mount_too_revealing).
    """
    with step("take the host's proc and sys away"):
        _take_away_kernel_files(os.readlink(f"/proc/self/fd/{root}"))
    with step("move into the root"):
        os.fchdir(root)
        mount(".", "/", None, MS_MOVE)
        os.chroot(".")
        os.chdir("/")


def _take_away_kernel_files(root: str) -> None:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        lines = file.read().splitlines()
    for line in lines:
        fields, _, source = line.partition(" - ")
        place = fields.split()[4]
        for escape, character in _ESCAPES:
            place = place.replace(escape, character)
        if source.split()[0] not in ("proc", "sysfs") or f"{place}/".startswith(f"{root}/"):
            continue
        try:
            mount(None, place, None, MS_PRIVATE)
            umount2(place, MNT_DETACH)
        except OSError as error:
            if error.errno == errno.ENOENT:
                continue  # it went with the one it lies in
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
            # locked to what it lies in, as all are that came with a user namespace
            mount("tmpfs", place, "tmpfs", MS_RDONLY)


def finish_root(propagation: str) -> None:
    """After the pivot, which no shared mount may take part in (pivot_root(2))."""
    flag, whole_tree = PROPAGATIONS.get(propagation, (0, False))
    if flag in (MS_SHARED, MS_UNBINDABLE):
        with step("set the propagation of the root"):
            mount(None, "/", None, flag | (MS_REC if whole_tree else 0))
