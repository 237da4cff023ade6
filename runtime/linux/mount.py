"""Mounts: the classic calls, and the file descriptor based ones (Linux 5.2, setattr 5.12).

A mount made by `fsmount` or `open_tree(CLONE)` is detached: it belongs to its fd until
`move_mount` attaches it, so nothing on the way is resolved by name. Constants are those of
linux/mount.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from runtime.linux.constants import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    SYS_FSCONFIG,
    SYS_FSMOUNT,
    SYS_FSOPEN,
    SYS_FSPICK,
    SYS_MOUNT_SETATTR,
    SYS_MOVE_MOUNT,
    SYS_OPEN_TREE,
)
from runtime.linux.libc import function, path_bytes, syscall

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_MANDLOCK = 64
MS_DIRSYNC = 128
MS_NOSYMFOLLOW = 256
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_SILENT = 32768
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_I_VERSION = 1 << 23
MS_STRICTATIME = 1 << 24
MS_LAZYTIME = 1 << 25

MNT_FORCE = 1
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = 0o2000000

MOVE_MOUNT_F_SYMLINKS = 0x01
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_SYMLINKS = 0x10
MOVE_MOUNT_T_EMPTY_PATH = 0x40

FSOPEN_CLOEXEC = 1
FSMOUNT_CLOEXEC = 1
FSPICK_CLOEXEC = 1
FSPICK_EMPTY_PATH = 8

FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_SET_BINARY = 2
FSCONFIG_SET_PATH = 3
FSCONFIG_SET_PATH_EMPTY = 4
FSCONFIG_SET_FD = 5
FSCONFIG_CMD_CREATE = 6
FSCONFIG_CMD_RECONFIGURE = 7

MOUNT_ATTR_RDONLY = 0x01
MOUNT_ATTR_NOSUID = 0x02
MOUNT_ATTR_NODEV = 0x04
MOUNT_ATTR_NOEXEC = 0x08
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_RELATIME = 0x00
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

_text = ctypes.c_char_p
_mount = function("mount", _text, _text, _text, ctypes.c_ulong, _text)
_umount2 = function("umount2", _text, ctypes.c_int)
_pivot_root = function("pivot_root", _text, _text)


def mount(
    source: str | bytes | None,
    target: str | bytes,
    filesystem: str | None,
    flags: int = 0,
    data: str | bytes | None = None,
) -> None:
    _mount(
        None if source is None else path_bytes(source),
        path_bytes(target),
        None if filesystem is None else filesystem.encode("ascii"),
        flags,
        None if data is None else path_bytes(data),
    )


def umount2(target: str | bytes, flags: int = 0) -> None:
    _umount2(path_bytes(target), flags)


def pivot_root(new_root: str | bytes, put_old: str | bytes) -> None:
    _pivot_root(path_bytes(new_root), path_bytes(put_old))


def open_tree(directory: int, path: str | bytes = b"", flags: int = OPEN_TREE_CLOEXEC) -> int:
    """With OPEN_TREE_CLONE: a detached copy of the mount (AT_RECURSIVE: of the tree) at a path."""
    return syscall(SYS_OPEN_TREE, directory, path_bytes(path), flags)


def clone_tree(directory: int, path: str | bytes = b"", *, recursive: bool = False) -> int:
    """A detached bind of what `path`, or with no path the fd `directory` itself, names."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
    flags |= AT_RECURSIVE if recursive else 0
    flags |= 0 if path else AT_EMPTY_PATH
    return open_tree(directory, path, flags)


def move_mount(
    from_fd: int, from_path: str | bytes, to_fd: int, to_path: str | bytes, flags: int
) -> None:
    syscall(SYS_MOVE_MOUNT, from_fd, path_bytes(from_path), to_fd, path_bytes(to_path), flags)


def attach(mount_fd: int, target_fd: int) -> None:
    """Attach a detached mount on what `target_fd` is open on; no path is resolved."""
    move_mount(mount_fd, b"", target_fd, b"", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)


def attach_at(mount_fd: int, target: str | bytes) -> None:
    """Attach a detached mount on a path of our own directories (never one inside a container)."""
    move_mount(mount_fd, b"", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)


def fsopen(filesystem: str) -> int:
    return syscall(SYS_FSOPEN, filesystem.encode("ascii"), FSOPEN_CLOEXEC)


def fspick(directory: int, path: str | bytes = b"") -> int:
    flags = FSPICK_CLOEXEC | (0 if path else FSPICK_EMPTY_PATH)
    return syscall(SYS_FSPICK, directory, path_bytes(path), flags)


def fsconfig_flag(context: int, key: str) -> None:
    syscall(SYS_FSCONFIG, context, FSCONFIG_SET_FLAG, path_bytes(key), None, 0)


def fsconfig_string(context: int, key: str, value: str | bytes) -> None:
    syscall(SYS_FSCONFIG, context, FSCONFIG_SET_STRING, path_bytes(key), path_bytes(value), 0)


def fsconfig_fd(context: int, key: str, value: int) -> None:
    syscall(SYS_FSCONFIG, context, FSCONFIG_SET_FD, path_bytes(key), None, value)


def fsconfig_create(context: int) -> None:
    syscall(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0)


def fsconfig_reconfigure(context: int) -> None:
    syscall(SYS_FSCONFIG, context, FSCONFIG_CMD_RECONFIGURE, None, None, 0)


def fsmount(context: int, attributes: int = 0) -> int:
    """The detached mount of a configured context, with MOUNT_ATTR_ flags."""
    return syscall(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, attributes)


def mount_setattr(
    directory: int,
    path: str | bytes = b"",
    *,
    set_: int = 0,
    clear: int = 0,
    propagation: int = 0,
    userns_fd: int = 0,
    recursive: bool = False,
) -> None:
    """Change a mount's attributes (struct mount_attr, Linux 5.12); propagation is an MS_ flag."""
    flags = (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    attributes = struct.pack("=QQQQ", set_, clear, propagation, userns_fd)
    syscall(SYS_MOUNT_SETATTR, directory, path_bytes(path), flags, attributes, len(attributes))


def clone_mapped(path: str | bytes, userns_fd: int) -> int:
    """A detached copy of a mount whose files have the owners that a user namespace maps theirs to.

    Linux 5.12, and later for each file system (mount_setattr(2), "ID-mapped mounts").
    """
    copy = clone_tree(AT_FDCWD, path)
    try:
        mount_setattr(copy, set_=MOUNT_ATTR_IDMAP, userns_fd=userns_fd)
    except OSError:
        os.close(copy)
        raise
    return copy


def has_detached_mounts() -> bool:
    """Whether the kernel, and a seccomp filter over us, let all of the calls above through.

    Asked with no file descriptor at all: what is known says so, what is not says ENOSYS, or EPERM
    where a filter of the time before these calls does (a container in which containers are made).
    """
    attributes = struct.pack("=QQQQ", 0, 0, 0, 0)
    nowhere = (-1, b"", AT_EMPTY_PATH)
    probes = (
        (SYS_OPEN_TREE, *nowhere),
        (SYS_MOVE_MOUNT, -1, b"", -1, b"", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
        (SYS_FSOPEN, b"", FSOPEN_CLOEXEC),
        (SYS_FSCONFIG, -1, FSCONFIG_CMD_CREATE, None, None, 0),
        (SYS_FSMOUNT, -1, FSMOUNT_CLOEXEC, 0),
        (SYS_MOUNT_SETATTR, *nowhere, attributes, len(attributes)),
    )
    for number, *arguments in probes:
        try:
            syscall(number, *arguments)
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.EPERM):
                return False
    return True
