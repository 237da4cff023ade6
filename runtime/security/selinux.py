"""SELinux: `process.selinuxLabel` takes effect at exec; `linux.mountLabel` is a mount option.

`open_exec` before the container's root is entered, `set_exec` right before exec.
"""

from __future__ import annotations

import os

from runtime.errors import NotSupported, SpecInvalid
from runtime.security.label import open_label, write_label

_WHAT = "process.selinuxLabel"


def is_enabled() -> bool:
    return os.path.exists("/sys/fs/selinux/enforce")


def open_exec(label: str) -> int:
    """The fd to give to `set_exec`."""
    _check(label, _WHAT)
    if not is_enabled():
        raise NotSupported(f"{_WHAT}: {label}: SELinux is not enabled on this host")
    return open_label("attr/exec", _WHAT)


def set_exec(descriptor: int, label: str) -> None:
    write_label(descriptor, label, _WHAT)


def mount_option(label: str) -> str:
    """For the data of a mount; quoted, because an MCS pair has a comma in it."""
    _check(label, "linux.mountLabel")
    return f'context="{label}"'


def _check(label: str, what: str) -> None:
    if label.count(":") < 2 or any(character in label for character in '\0\n"'):
        raise SpecInvalid(f"{what}: {label!r} is not a label")
