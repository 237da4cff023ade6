"""``ip_forward``: on while there is a network that leads out, then as it was before.

Several supervisors share the one switch of a host. What it was before the first of them is
written on every bridge (its alias, visible with ``ip link``), so whoever comes later reads it
there instead of taking the first one's doing for the host's wish; and only the last one puts it
back. Blocking.
"""

from __future__ import annotations

import re

from stacker.drivers.networks import bridges, names, sysctls
from stacker.drivers.networks.observing import Kernel

_BEFORE = re.compile(r"ip_forward before: ([01])", re.ASCII)


def alias(tag: str, network: str, *, before: bool) -> str:
    return f"{bridges.mark(tag)}network {network}, ip_forward before: {int(before)}"


def before(tag: str, kernel: Kernel) -> bool:
    """What the switch was before any supervisor touched it."""
    for name in _others(tag, kernel):
        match = _BEFORE.search(kernel.links[name].alias)
        if match:
            return match[1] == "1"
    return kernel.forwarding


def put_back(tag: str, kernel: Kernel, *, before: bool) -> None:
    """Restore it, unless another supervisor still needs it."""
    if not before and kernel.forwarding and not _others(tag, kernel):
        sysctls.set_forwarding(False)


def _others(tag: str, kernel: Kernel) -> list[str]:
    return [name for name in kernel.links if names.is_bridge_of_another(tag, name)]
