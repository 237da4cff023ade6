"""When the caller is not the host's root: what is asked for then, and what is left out."""

from __future__ import annotations

import errno
import os

from runtime.cgroups.cgroup import Cgroup
from runtime.errors import KernelFault, SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.spec.model import Spec

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
# what every config.json asks for, without a limit that somebody would miss
_UNMISSED = frozenset(("devices",))


def is_rootless(flag: str) -> bool:
    """`flag` is --rootless: true, false, or auto."""
    if flag != "auto":
        return flag == "true"
    return os.geteuid() != 0 or _in_user_namespace()


def _in_user_namespace() -> bool:
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return file.read().split() != ["0", "0", str(2**32 - 1)]
    except FileNotFoundError:
        # a kernel without user namespaces
        return False


def check_user_namespace(spec: Spec) -> None:
    if os.geteuid() != 0 and not spec.has_namespace("user"):
        raise SpecInvalid("linux.namespaces: who is not root needs a user namespace")


def make_cgroup(
    cgroup: Cgroup, spec: Spec, warn: Callable[[str], None], *, rootless: bool
) -> Cgroup:
    """Make and limit it; gives one without directories where the caller may not make any."""
    resources = spec.linux.resources
    try:
        cgroup.create()
        for warning in cgroup.apply(resources):
            warn(warning)
    except KernelFault as error:
        if not rootless or error.errno not in _REFUSED:
            raise
        _take_back(cgroup)
        warn(f"{error}: the container runs without a cgroup of its own")
        lost = sorted(name for name in resources if name not in _UNMISSED)
        if lost:
            warn(f"linux.resources: not applied: {', '.join(lost)}")
        return Cgroup(legacy={}, unified=None)
    return cgroup


def _take_back(cgroup: Cgroup) -> None:
    try:
        cgroup.remove()
    except KernelFault:
        # it has to stay: it was there before us, or others moved in
        return
