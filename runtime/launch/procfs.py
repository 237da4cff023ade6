"""Writes to procfs, through the host's /proc, before the container's root is entered.

Written through the container's /proc they could be redirected to another file, or to none
(CVE-2019-16884, CVE-2025-52881). No link is followed and no mount point crossed on the way. The
files of a namespace answer for whoever opens them, whichever mount of proc that goes through.
"""

from __future__ import annotations

import os

from runtime.errors import KernelFault, step
from runtime.linux.fds import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, openat2

_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS
_SWAPPED = str.maketrans("./", "/.")


def write_oom_score(value: int) -> None:
    _write(f"{os.readlink('/proc/self')}/oom_score_adj", str(value))


def write_sysctl(name: str, value: str) -> None:
    """In a dotted name, like net.ipv4.conf.eth0/1.rp_filter, / stands for a dot (sysctl.d(5))."""
    _write("sys/" + (name.translate(_SWAPPED) if "." in name else name), value)


def _write(path: str, text: str) -> None:
    with step(f"write /proc/{path}"):
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fd = openat2(proc, path, os.O_WRONLY, _RESOLVE)
        finally:
            os.close(proc)
        try:
            data = text.encode("utf-8")
            if os.write(fd, data) != len(data):
                raise KernelFault(f"write /proc/{path}", 0, "only part of the value was taken")
        finally:
            os.close(fd)
