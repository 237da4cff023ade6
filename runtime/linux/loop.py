"""Loop devices: one file attached read-only, gone with its last user (LO_FLAGS_AUTOCLEAR)."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

_LOOP_CONFIGURE = 0x4C0A  # Linux 5.8
_LOOP_CTL_GET_FREE = 0x4C82

LO_FLAGS_READ_ONLY = 1
LO_FLAGS_AUTOCLEAR = 4
LO_FLAGS_DIRECT_IO = 16

# struct loop_config: fd, block size, loop_info64 (offset at 24, flags at 52), 8 reserved words
_CONFIG_SIZE = 4 + 4 + 232 + 64
_INFO_AT = 8
_LOOP_MAJOR = 7
_RACES_ALLOWED = 64


def attach_loop(backing: int, *, read_only: bool = True, direct_io: bool = False) -> int:
    """Attach an open file to a free loop device and give the device's fd.

    The device lets go of the file when this fd is closed and its mount is gone.
    """
    config = bytearray(_CONFIG_SIZE)
    flags = LO_FLAGS_AUTOCLEAR
    flags |= LO_FLAGS_READ_ONLY if read_only else 0
    flags |= LO_FLAGS_DIRECT_IO if direct_io else 0
    struct.pack_into("=I", config, 0, backing)
    struct.pack_into("=I", config, _INFO_AT + 52, flags)
    access = os.O_RDONLY if read_only else os.O_RDWR
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_RACES_ALLOWED):
            index = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            device = _open_device(index, access)
            try:
                fcntl.ioctl(device, _LOOP_CONFIGURE, bytes(config))
            except OSError as error:
                os.close(device)
                # somebody else took it between the two calls
                if error.errno != errno.EBUSY:
                    raise
            else:
                return device
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, "no free loop device")


def device_path(device: int) -> str:
    return f"/dev/loop{os.minor(os.fstat(device).st_rdev)}"


def _open_device(index: int, access: int) -> int:
    path = f"/dev/loop{index}"
    try:
        return os.open(path, access | os.O_CLOEXEC)
    except FileNotFoundError:
        # a /dev without udev or devtmpfs: the node is ours to make (loop(4): major 7)
        os.mknod(path, stat.S_IFBLK | 0o660, os.makedev(_LOOP_MAJOR, index))
        return os.open(path, access | os.O_CLOEXEC)
