"""``ip_forward``: on while there is a network that leads out, then as it was before.

Several supervisors share the one switch of a host. What it was before the first of them is
written on every bridge (its alias, visible with ``ip link``), so whoever comes later reads it
there instead of taking the first one's doing for the host's wish; and only the last one puts it
back. Blocking.
"""

from __future__ import annotations

from stacker.drivers.networks import marks, names, sysctls
from stacker.drivers.networks.observing import Kernel


def before(tag: str, kernel: Kernel, *, noted: bool | None) -> bool:
    """What the switch was before any supervisor touched it, this one included.

    ``noted``: what this one noted in its state root, for when no bridge is left to tell.
    """
    for link in kernel.links.values():
        if link.alias.startswith(marks.mark(tag)) or names.is_bridge_of_another(tag, link.name):
            told = marks.forwarding_before(link.alias)
            if told is not None:
                return told
    return kernel.forwarding if noted is None else noted


def put_back(tag: str, kernel: Kernel, *, before: bool) -> None:
    """Restore it, unless another supervisor still needs it."""
    if not before and kernel.forwarding and not _others(tag, kernel):
        sysctls.set_forwarding(False)


def _others(tag: str, kernel: Kernel) -> list[str]:
    return [name for name in kernel.links if names.is_bridge_of_another(tag, name)]
