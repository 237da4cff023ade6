"""What is written on our bridges, as their alias (visible with ``ip link``): pure.

The kernel keeps it for us: whose a bridge is, which network it was made for, and what
``ip_forward`` was before the first network of the host. So a state file that is lost can be
rebuilt, and supervisors that do not know each other can tell.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Interface

from stacker.drivers.networks import names
from stacker.drivers.networks.netlink.links import Link
from stacker.drivers.networks.observing import Kernel
from stacker.drivers.networks.planning import Remnant

_OURS = re.compile(r"stacker [0-9a-f]{6} ", re.ASCII)
_BEFORE = re.compile(r"ip_forward before: ([01])", re.ASCII)


def mark(tag: str) -> str:
    """How the alias of each of our bridges begins: what has it is ours to change and remove."""
    return f"stacker {tag} "


def alias(tag: str, network: str, *, before: bool) -> str:
    return f"{_begin(tag, network)}ip_forward before: {int(before)}"


def is_for(tag: str, network: str, found: str) -> bool:
    """Whether a bridge with this alias was made for this network of ours."""
    return found.startswith(_begin(tag, network))


def is_of_somebody(link: Link) -> bool:
    """Whether a link is a network of any supervisor; a stack file may have named the bridge."""
    return bool(_OURS.match(link.alias)) or names.is_bridge(link.name)


def is_of_another(tag: str, link: Link) -> bool:
    """Whether a link is a network of another supervisor."""
    return is_of_somebody(link) and not (
        link.alias.startswith(mark(tag)) or names.is_ours(tag, link.name)
    )


def forwarding_before(found: str) -> bool | None:
    """What an alias says of ``ip_forward``; None: nothing."""
    match = _BEFORE.search(found)
    return None if match is None else match[1] == "1"


def remnant(tag: str, network: str, kernel: Kernel) -> Remnant | None:
    """The bridge that was made for a network of this name."""
    for link in kernel.links.values():
        if is_for(tag, network, link.alias):
            for interface in sorted(kernel.addresses.get(link.index, ())):
                address = IPv4Interface(interface)
                return Remnant(
                    bridge=link.name, subnet=str(address.network), gateway=str(address.ip)
                )
    return None


def _begin(tag: str, network: str) -> str:
    return f"{mark(tag)}network {network}, "
