"""File descriptors: resolution that cannot leave a root, closing ranges, sealed memory files."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys

from runtime.linux.constants import SYS_CLOSE_RANGE, SYS_OPENAT2
from runtime.linux.libc import function, path_bytes, syscall

O_PATH = os.O_PATH
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

FIRST_PRESERVED = 3  # after stdin, stdout and stderr
CLOSE_RANGE_CLOEXEC = 4
_LAST_FD = 0xFFFFFFFF  # "to the end": close_range takes unsigned int

MFD_CLOEXEC = 0x1
MFD_ALLOW_SEALING = 0x2
MFD_EXEC = 0x10  # Linux 6.3; without it vm.memfd_noexec may refuse to execute the file

_F_ADD_SEALS = 1033
_SEAL_ALL = 0x1 | 0x2 | 0x4 | 0x8  # seal, shrink, grow, write

# openat2 with RESOLVE_IN_ROOT says EAGAIN when a rename raced with a ".." in the walk
# (openat2(2)); the caller is told to try again. A container can race for ever: bounded.
_RACES_ALLOWED = 128

PROC_SUPER_MAGIC = 0x9FA0

_STATFS_SIZE = 256  # struct statfs has 120 bytes; room for what a kernel may add
_fstatfs = function("fstatfs", ctypes.c_int, ctypes.c_char_p)


def openat2(directory: int, path: str | bytes, flags: int, resolve: int, mode: int = 0) -> int:
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve)
    for _ in range(_RACES_ALLOWED):
        try:
            return syscall(SYS_OPENAT2, directory, path_bytes(path), how, len(how))
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                raise
    raise OSError(errno.EAGAIN, "path kept changing while it was resolved")


def open_in_root(root: int, path: str | bytes, flags: int = O_PATH, mode: int = 0) -> int:
    """Open as if `root` were `/`: links and `..` stay inside, magic links are refused."""
    return openat2(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, mode)


def close_range(first: int, last: int = _LAST_FD, flags: int = 0) -> None:
    syscall(SYS_CLOSE_RANGE, first, last, flags)


def close_all_but(kept: list[int]) -> None:
    """Close every fd but those given (0, 1 and 2 are closed as well when not given)."""
    low = 0
    for fd in sorted(set(kept)):
        if fd > low:
            close_range(low, fd - 1)
        low = fd + 1
    close_range(low)


def came_with_us(fd: int) -> bool:
    """Whether it is open and came by execve, which closes what Python opens (PEP 446)."""
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def close_inherited(kept: tuple[int, ...]) -> None:
    """Close what came with us but stdio and `kept`, and nothing that this program has opened."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd >= FIRST_PRESERVED and fd not in kept and came_with_us(fd):
            os.close(fd)


def cloexec_from(first: int) -> None:
    """Mark what is open. Before Linux 5.11 there is no such way, and all that Python opens is."""
    try:
        close_range(first, _LAST_FD, CLOSE_RANGE_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def sealed_memfd(name: str, contents: bytes, *, executable: bool = False) -> int:
    """A memory file that nobody, its maker included, can change any more."""
    flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
    try:
        fd = os.memfd_create(name, flags | (MFD_EXEC if executable else 0))
    except OSError as error:
        if error.errno != errno.EINVAL or not executable:
            raise
        fd = os.memfd_create(name, flags)
    view = memoryview(contents)
    while view:
        view = view[os.write(fd, view) :]
    fcntl.fcntl(fd, _F_ADD_SEALS, _SEAL_ALL)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def file_system_type(fd: int) -> int:
    """The magic number of the file system that holds an open file (fstatfs(2))."""
    # f_type is the first word on every architecture with 64 bits
    described = ctypes.create_string_buffer(_STATFS_SIZE)
    _fstatfs(fd, described)
    return int.from_bytes(described.raw[:8], sys.byteorder)
