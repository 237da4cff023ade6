"""Device nodes, the default ones and config.json's, made relative to a checked /dev.

`/dev` may be a link in a hostile image (CVE-2026-41579), and so may each node: the directory is
opened with no link allowed, and a name that exists is removed, never followed. In a user namespace
mknod is refused (but for FIFOs), and the host's node is bound instead, once it is known to be it.
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.errors import KernelFault, NotSupported, SpecInvalid, step
from runtime.rootfs.resolve import open_parent, open_plain_directory, open_target
from runtime.spec.model import Device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.rootfs.maker import Maker

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


def make_devices(maker: Maker, root: int, listed: tuple[Device, ...], *, bind: bool) -> None:
    """Fill a /dev that is the container's own; a bound one of the host is left alone."""
    # the multiplexer is that of the container's own terminals, whatever is asked for
    listed = tuple(device for device in listed if device.path != "/dev/ptmx")
    given = {device.path for device in listed}
    defaults = tuple(device for device in DEFAULT_DEVICES if device.path not in given)
    for device in (*defaults, *listed):
        if bind and device.type != "p":
            _bind_device(maker, root, device)
        else:
            _make_device(root, device, instead=device in defaults)
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


def _make_device(root: int, device: Device, *, instead: bool) -> None:
    """`instead` of whatever an image has there; a device that is asked for is none of its files."""
    with step(f"make device {device.path}"):
        parent, name = _device_directory(root, device.path)
        try:
            if not instead:
                _refuse_another(parent, name, device)
            if not remove_name(parent, name):
                return
            number = os.makedev(device.major, device.minor) if device.type != "p" else 0
            os.mknod(name, _KINDS[device.type] | device.mode, number, dir_fd=parent)
            node = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                _own(node, device)
            finally:
                os.close(node)
        finally:
            os.close(parent)


def _refuse_another(parent: int, name: str, device: Device) -> None:
    """config-linux.md, "Devices": a file that is not the device is an error."""
    try:
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        return
    try:
        if not _is_the_node(found, device):
            raise SpecInvalid(f"linux.devices: {device.path}: there is another file already")
    finally:
        os.close(found)


def _own(node: int, device: Device) -> None:
    """Owner, and the mode, in which the umask had its say; of the node, whatever is renamed."""
    if not _is_the_node(node, device):
        raise KernelFault(f"make device {device.path}", 0, "it was exchanged for another file")
    itself = f"/proc/self/fd/{node}"
    os.chown(itself, device.uid, device.gid)
    os.chmod(itself, device.mode)


def _is_the_node(fd: int, device: Device) -> bool:
    status = os.fstat(fd)
    if stat.S_IFMT(status.st_mode) != _KINDS[device.type]:
        return False
    return device.type == "p" or status.st_rdev == os.makedev(device.major, device.minor)


def _bind_device(maker: Maker, root: int, device: Device) -> None:
    node = _node_of_host(device)
    try:
        with step(f"bind device {device.path}"):
            parent, name = _device_directory(root, device.path)
            try:
                if not remove_name(parent, name):
                    return
            finally:
                os.close(parent)
            source = maker.clone(node)
            target = open_target(root, device.path, directory=False)
            try:
                maker.attach(source, target)
            finally:
                os.close(target)
                os.close(source)
    finally:
        os.close(node)


def _node_of_host(device: Device) -> int:
    """By the path the container has it on, or else by the one the host's kernel gave it."""
    kind = "block" if device.type == "b" else "char"
    for path in (device.path, _name_in_sysfs(f"{kind}/{device.major}:{device.minor}")):
        try:
            fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        if _is_the_node(fd, device):
            return fd
        os.close(fd)
    raise NotSupported(
        f"linux.devices: {device.path}: the host has no node of {kind} device "
        f"{device.major}:{device.minor} to bind, and in a user namespace none can be made"
    )


def _name_in_sysfs(device: str) -> str:
    try:
        with open(f"/sys/dev/{device}/uevent", encoding="ascii") as file:
            for line in file:
                if line.startswith("DEVNAME="):
                    return f"/dev/{line[8:].rstrip()}"
    except OSError:
        return ""
    return ""


def _device_directory(root: int, path: str) -> tuple[int, str]:
    if path.startswith("/dev/") and "/" not in path[5:]:
        return open_plain_directory(root, "/dev"), path[5:]
    return open_parent(root, path)


def _replace_by_link(directory: int, name: str, destination: str) -> None:
    if remove_name(directory, name):
        os.symlink(destination, name, dir_fd=directory)


def remove_name(directory: int, name: str) -> bool:
    """Whether it is gone, and not a mount point, which is something that config.json asks for."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return True
    except IsADirectoryError:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True
