"""Namespaces: make (unshare), enter (setns), and ask a namespace fd which type it is.

Python 3.11 has no os.unshare nor os.setns. The caller must be single-threaded.
"""

from __future__ import annotations

import ctypes
import fcntl

from runtime.linux.libc import function

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# name under /proc/<pid>/ns -> flag
NAMESPACE_FLAGS = {
    "user": CLONE_NEWUSER,
    "cgroup": CLONE_NEWCGROUP,
    "ipc": CLONE_NEWIPC,
    "mnt": CLONE_NEWNS,
    "net": CLONE_NEWNET,
    "pid": CLONE_NEWPID,
    "time": CLONE_NEWTIME,
    "uts": CLONE_NEWUTS,
}

# ioctl_ns(2)
_NS_GET_USERNS = 0xB701
_NS_GET_NSTYPE = 0xB703

_unshare = function("unshare", ctypes.c_int)
_setns = function("setns", ctypes.c_int, ctypes.c_int)


CLONE_FS = 0x200
"""unshare(2): a working directory, root and umask of one's own."""


def unshare(flags: int) -> None:
    _unshare(flags)


def setns(fd: int, flags: int) -> None:
    """Enter one namespace by its fd, or several at once by a pidfd (Linux 5.8)."""
    _setns(fd, flags)


def namespace_type(fd: int) -> int:
    """The CLONE_NEW flag of a namespace fd; OSError(ENOTTY) when it is no namespace."""
    return fcntl.ioctl(fd, _NS_GET_NSTYPE)


def owner_of(fd: int) -> int:
    """A descriptor of the user namespace that owns a namespace."""
    return fcntl.ioctl(fd, _NS_GET_USERNS)
