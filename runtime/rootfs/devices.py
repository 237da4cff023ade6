"""Device nodes, the default ones and config.json's, made relative to a checked /dev.

`/dev` may be a link in a hostile image (CVE-2026-41579), and so may each node: the directory is
opened with no link allowed, and a name that exists is removed, never followed. In a user namespace
mknod is refused, and the host's node is bound instead.
"""

from __future__ import annotations

import os
import stat

from runtime.errors import KernelFault, step
from runtime.linux.constants import AT_FDCWD
from runtime.linux.mount import attach, clone_tree
from runtime.rootfs.resolve import open_parent, open_plain_directory, open_target
from runtime.spec.model import Device

# config-linux.md, "Default Devices"; /dev/console and /dev/ptmx have their own steps
DEFAULT_DEVICES = (
    Device(path="/dev/null", type="c", major=1, minor=3),
    Device(path="/dev/zero", type="c", major=1, minor=5),
    Device(path="/dev/full", type="c", major=1, minor=7),
    Device(path="/dev/random", type="c", major=1, minor=8),
    Device(path="/dev/urandom", type="c", major=1, minor=9),
    Device(path="/dev/tty", type="c", major=5, minor=0),
)
LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
)
_KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


def make_devices(root: int, listed: tuple[Device, ...], *, bind: bool) -> None:
    """Fill a /dev that is the container's own; a bound one of the host is left alone."""
    given = {device.path for device in listed}
    defaults = tuple(device for device in DEFAULT_DEVICES if device.path not in given)
    for device in (*defaults, *listed):
        if bind:
            _bind_device(root, device)
        else:
            _make_device(root, device)
    dev = open_plain_directory(root, "/dev")
    try:
        with step("make the links of /dev"):
            for name, destination in LINKS:
                _replace_by_link(dev, name, destination)
            if os.path.exists("/proc/kcore"):
                _replace_by_link(dev, "core", "/proc/kcore")
            _replace_by_link(dev, "ptmx", "pts/ptmx")
    finally:
        os.close(dev)


def host_null() -> int:
    """An O_PATH fd of the host's /dev/null, checked to be it: what masks are made of."""
    with step("open the host's /dev/null"):
        fd = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not is_device(fd, 1, 3):
        os.close(fd)
        raise KernelFault("open the host's /dev/null", 0, "it is not the null device")
    return fd


def is_device(fd: int, major: int, minor: int) -> bool:
    status = os.fstat(fd)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(major, minor)


def _make_device(root: int, device: Device) -> None:
    with step(f"make device {device.path}"):
        parent, name = _device_directory(root, device.path)
        try:
            remove_name(parent, name)
            number = os.makedev(device.major, device.minor) if device.type != "p" else 0
            os.mknod(name, _KINDS[device.type] | device.mode, number, dir_fd=parent)
            # the umask had its say in mknod; the fd is of the node just made, whatever is renamed
            node = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                os.chown(name, device.uid, device.gid, dir_fd=parent, follow_symlinks=False)
                os.chmod(f"/proc/self/fd/{node}", device.mode)
            finally:
                os.close(node)
        finally:
            os.close(parent)


def _bind_device(root: int, device: Device) -> None:
    with step(f"bind device {device.path}"):
        source = clone_tree(AT_FDCWD, device.path)
        try:
            target = open_target(root, device.path, directory=False)
            try:
                attach(source, target)
            finally:
                os.close(target)
        finally:
            os.close(source)


def _device_directory(root: int, path: str) -> tuple[int, str]:
    if path.startswith("/dev/") and "/" not in path[5:]:
        return open_plain_directory(root, "/dev"), path[5:]
    return open_parent(root, path)


def _replace_by_link(directory: int, name: str, destination: str) -> None:
    remove_name(directory, name)
    os.symlink(destination, name, dir_fd=directory)


def remove_name(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        os.rmdir(name, dir_fd=directory)
