"""Mounting one EROFS file: from the file itself, or through a loop device.

Called by `mounts`. The ways are tried from the best down, because which of them works depends on
the kernel (file-backed mounts: 6.12, `directio`: 6.14), on its configuration, and on the file
system below (tmpfs cannot back a mount without a loop device).
"""

from __future__ import annotations

import enum
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from runtime.linux import loop
from runtime.linux import mount as linux
from stacker.base.errors import Corrupt, Denied, Failed, NotFound, StackerError, Unsupported
from stacker.drivers.mounts.context import Context

_ATTRIBUTES = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOSUID
"""The overlay above has attributes of its own; nobody is meant to walk into a layer."""

_MAGIC = b"\xe2\xe1\xf5\xe0"
_MAGIC_AT = 1024


class Method(enum.Enum):
    """How this host mounts a layer."""

    FILE_DIRECT = "file, direct io"
    """Pages of the file are cached once, not a second time for the file system below."""
    FILE = "file"
    LOOP = "loop device"


def mount_erofs(image: Path, target: Path, methods: Sequence[Method] = tuple(Method)) -> Method:
    """Mounts read-only with the first of `methods` that works, and returns it."""
    failures: list[str] = []
    refusal: OSError | None = None
    for method in methods:
        try:
            _WAYS[method](image, target)
        except OSError as error:
            failures.append(f"{method.value}: {error.strerror}")
            refusal = error
        else:
            return method
    raise _translated(image, failures, refusal)


def _file_direct(image: Path, target: Path) -> None:
    with Context("erofs") as context:
        context.path("source", os.fspath(image))
        context.flag("directio")
        context.attach(os.fspath(target), _ATTRIBUTES)


def _file(image: Path, target: Path) -> None:
    with Context("erofs") as context:
        context.path("source", os.fspath(image))
        context.attach(os.fspath(target), _ATTRIBUTES)


def _loop(image: Path, target: Path) -> None:
    backing = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    try:
        device = _attach(backing)
    finally:
        os.close(backing)
    try:
        with Context("erofs") as context:
            context.string("source", loop.device_path(device))
            context.flag("ro")  # else the device would be opened for writing
            context.attach(os.fspath(target), _ATTRIBUTES)
    finally:
        # the mount holds the device now; the kernel detaches it with the mount
        os.close(device)


def _attach(backing: int) -> int:
    try:
        return loop.attach_loop(backing, direct_io=True)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return loop.attach_loop(backing)


_WAYS: dict[Method, Callable[[Path, Path], None]] = {
    Method.FILE_DIRECT: _file_direct,
    Method.FILE: _file,
    Method.LOOP: _loop,
}


def _translated(image: Path, failures: list[str], error: OSError | None) -> StackerError:
    what = f"mount layer {image}"
    try:
        with open(image, "rb") as file:
            file.seek(_MAGIC_AT)
            magic = file.read(len(_MAGIC))
    except FileNotFoundError:
        return NotFound(f"{what}: the file is not there")
    except OSError as unreadable:
        return Failed(f"{what}: {unreadable.strerror}")
    if magic != _MAGIC:
        return Corrupt(f"{what}: not an EROFS image")
    if error is not None and error.errno == errno.EPERM:
        return Denied(f"{what}: not allowed to mount")
    if error is not None and error.errno == errno.ENODEV:
        return Unsupported(f"{what}: the kernel has no EROFS (CONFIG_EROFS_FS)")
    return Unsupported(f"{what}: the kernel refuses it ({'; '.join(failures)})")
