"""The files of /proc that take a security label, opened before the container's root is entered.

A container can mount anything over its own /proc, so that a label written there later would go
nowhere (CVE-2019-19921, CVE-2025-52881). The file is opened while /proc is the host's, its file
system is checked, and written through the fd.
"""

from __future__ import annotations

import os

from runtime.errors import KernelFault, NotSupported
from runtime.linux.fds import PROC_SUPER_MAGIC, file_system_type


def open_label(file: str, what: str) -> int:
    """Open an attribute of the calling thread, like `attr/exec`, for a label of kind `what`."""
    path = f"/proc/thread-self/{file}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise NotSupported(f"{what}: this kernel has no {path}") from error
    except OSError as error:
        raise KernelFault(f"{what}: open {path}", error.errno or 0, error.strerror or "") from error
    if file_system_type(descriptor) != PROC_SUPER_MAGIC:
        os.close(descriptor)
        raise KernelFault(f"{what}: open {path}", 0, "it is not in procfs")
    return descriptor


def write_label(descriptor: int, label: str, what: str) -> None:
    """One write: the kernel takes a label whole or not at all."""
    try:
        os.write(descriptor, label.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise KernelFault(
            f"{what}: set the label {label}", error.errno or 0, error.strerror or ""
        ) from error
