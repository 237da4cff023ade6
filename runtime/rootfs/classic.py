"""The same with mount(2) alone: kernels before 5.12, and filters that know no later call.

What is detached there lies here in a private tmpfs, below the root in our mount namespace, where
nobody else can reach it: it gets its attributes there and is then moved on its target (MS_MOVE).
Both ends are named as /proc/self/fd/N, a link of the kernel's to what an open descriptor is open
on, so that no path is walked; it is the host's procfs, which is checked.
"""

from __future__ import annotations

import os
import stat

from runtime.errors import NotSupported
from runtime.linux.fds import PROC_SUPER_MAGIC, file_system_type
from runtime.linux.mount import (
    MNT_DETACH,
    MOUNT_ATTR__ATIME,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_STRICTATIME,
    MS_BIND,
    MS_DIRSYNC,
    MS_LAZYTIME,
    MS_MANDLOCK,
    MS_MOVE,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_NOSYMFOLLOW,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    MS_STRICTATIME,
    MS_SYNCHRONOUS,
    mount,
    umount2,
)

# attribute -> (flag of mount(2), flag of statvfs(3)); the access time is a field, see _flags
_SIMPLE = {
    MOUNT_ATTR_RDONLY: (MS_RDONLY, 1),
    MOUNT_ATTR_NOSUID: (MS_NOSUID, 2),
    MOUNT_ATTR_NODEV: (MS_NODEV, 4),
    MOUNT_ATTR_NOEXEC: (MS_NOEXEC, 8),
    MOUNT_ATTR_NODIRATIME: (MS_NODIRATIME, 2048),
    MOUNT_ATTR_NOSYMFOLLOW: (MS_NOSYMFOLLOW, 8192),
}
_ATIMES = {
    MOUNT_ATTR_NOATIME: MS_NOATIME,
    MOUNT_ATTR_STRICTATIME: MS_STRICTATIME,
    0: MS_RELATIME,
}
_ST_NOATIME = 1024
_ST_RELATIME = 4096
_WORDS = {
    "sync": MS_SYNCHRONOUS,
    "dirsync": MS_DIRSYNC,
    "mand": MS_MANDLOCK,
    "lazytime": MS_LAZYTIME,
}
_ROOT = "1"  # the first place
_OPPOSITES = ("async", "nomand", "nolazytime")


class Classic:
    """Holds the private tmpfs, made by `root`, and counts the places in it."""

    __slots__ = ("_places", "_stage")
    has_attributes_of_trees = False

    def __init__(self) -> None:
        self._stage = -1
        self._places = 0
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        kind = file_system_type(proc)
        os.close(proc)
        if kind != PROC_SUPER_MAGIC:
            raise NotSupported("root: to mount without the calls of Linux 5.12 takes procfs")

    def root(self, path: str, opened: int) -> int:
        """The container's root, on its own path, with the private tmpfs out of sight below it."""
        if opened >= 0:
            os.close(opened)
        below = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700,size=1m")
        mount(None, path, None, MS_PRIVATE)
        self._stage = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.close(self.clone(below, recursive=True))
        os.close(below)
        # the tmpfs lies on the very directory that was bound, so the tree came with a copy of it
        umount2(f"{_path(self._stage)}/{_ROOT}", MNT_DETACH)
        root = os.open(_ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._stage)
        # hooks look for the root on its path; our own descriptor stays below what covers it
        self.attach(root, self._stage)
        return root

    def clone(self, source: int | str, *, recursive: bool = False) -> int:
        fd = source if isinstance(source, int) else os.open(source, os.O_PATH | os.O_CLOEXEC)
        try:
            place = self._new_place(directory=stat.S_ISDIR(os.fstat(fd).st_mode))
            flags = MS_BIND | (MS_REC if recursive else 0)
            mount(_path(fd), f"{_path(self._stage)}/{place}", None, flags)
        finally:
            if fd != source:
                os.close(fd)
        return os.open(place, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._stage)

    def make(
        self,
        kind: str,
        source: str,
        *,
        words: tuple[str, ...] = (),
        data: tuple[str, ...] = (),
        label: str = "",
        attributes: int = 0,
        readonly: bool = False,
    ) -> int:
        del readonly  # MS_RDONLY says both: of the file system and of the mount
        place = self._new_place(directory=True)
        if label:
            # quoted, because an MCS pair has a comma in it
            data = (*data, f'context="{label}"')
        flags = _flags(attributes) | _word_flags(words)
        mount(source, f"{_path(self._stage)}/{place}", kind, flags, ",".join(data))
        return os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._stage)

    def reconfigure(self, mounted: int, *, words: tuple[str, ...], data: tuple[str, ...]) -> None:
        flags = MS_REMOUNT | _flags(_attributes_of(mounted)) | _word_flags(words)
        mount(None, _path(mounted), None, flags, ",".join(data))

    def set_attributes(self, mounted: int, to_set: int, to_clear: int = 0) -> None:
        """A remount replaces them all: those that are there are kept (and may be locked)."""
        if to_set or to_clear:
            wanted = _attributes_of(mounted) & ~to_clear | to_set
            mount(None, _path(mounted), None, MS_REMOUNT | MS_BIND | _flags(wanted))

    def set_attributes_of_tree(self, mounted: int, to_set: int, to_clear: int = 0) -> None:
        """Of the top alone, which is all that mount(2) can do."""
        self.set_attributes(mounted, to_set, to_clear)

    def set_propagation(self, mounted: int, propagation: int, *, whole_tree: bool) -> None:
        mount(None, _path(mounted), None, propagation | (MS_REC if whole_tree else 0))

    def attach(self, made: int, target: int) -> None:
        mount(_path(made), _path(target), None, MS_MOVE)

    def _new_place(self, *, directory: bool) -> str:
        self._places += 1
        name = str(self._places)
        if directory:
            os.mkdir(name, 0o700, dir_fd=self._stage)
        else:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o600, dir_fd=self._stage))
        return name


def _path(fd: int) -> str:
    return f"/proc/self/fd/{fd}"


def _flags(attributes: int) -> int:
    flags = _ATIMES.get(attributes & MOUNT_ATTR__ATIME, 0)
    for attribute, (flag, _) in _SIMPLE.items():
        if attributes & attribute:
            flags |= flag
    return flags


def _word_flags(words: tuple[str, ...]) -> int:
    flags = 0
    for word in words:
        if word not in _OPPOSITES:
            flags |= _WORDS[word]
    return flags


def _attributes_of(mounted: int) -> int:
    """What the mount has now, as fstatvfs says it."""
    seen = os.fstatvfs(mounted).f_flag
    attributes = 0
    for attribute, (_, flag) in _SIMPLE.items():
        if seen & flag:
            attributes |= attribute
    if seen & _ST_NOATIME:
        return attributes | MOUNT_ATTR_NOATIME
    return attributes if seen & _ST_RELATIME else attributes | MOUNT_ATTR_STRICTATIME
