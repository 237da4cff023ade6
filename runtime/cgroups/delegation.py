"""Handing a cgroup of version 2 over to the user that a container's program runs as.

What a user may own there is said by the kernel (cgroup-v2.rst, "Delegation"); limits are not among
it: they stay ours.
"""

from __future__ import annotations

import os

from runtime.cgroups.apply import read_file
from runtime.errors import step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.cgroup import Cgroup

_LIST = "/sys/kernel/cgroup/delegate"
_KNOWN = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control")
"""Those of kernels without the list (before 4.15)."""


def hand_over(cgroup: Cgroup, owner: int) -> None:
    if cgroup.unified is None:
        return
    try:
        names = read_file(_LIST).split()
    except FileNotFoundError:
        names = list(_KNOWN)
    with step(f"give the cgroup {cgroup.unified} to user {owner}"):
        for path in (cgroup.unified, *(f"{cgroup.unified}/{name}" for name in names)):
            try:
                os.chown(path, owner, -1)
            except FileNotFoundError:
                continue  # of a controller that this cgroup has not
