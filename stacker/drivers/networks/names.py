"""Names of interfaces, of the rule table and of kept sockets: pure.

All carry the tag of the state root, so that several supervisors on one host never touch each
other's, and so that what nobody remembers can be found and swept. An interface name has at most
15 bytes (IFNAMSIZ less the final zero).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Set
from functools import lru_cache
from pathlib import Path

LONGEST = 15

_DNS, _PORTS = "dns.", "ports."
_BRIDGE_OF_ANYBODY = re.compile(r"sk[0-9a-f]{6}b[0-9]{1,6}", re.ASCII)


def bridge(tag: str, number: int) -> str:
    return f"sk{tag}b{number}"


def is_bridge(interface: str) -> bool:
    """Whether a link has the name of a bridge of any supervisor."""
    return bool(_BRIDGE_OF_ANYBODY.fullmatch(interface))


@lru_cache(maxsize=4096)
def veth(tag: str, container_id: str, index: int) -> str:
    """The host's end of a container's n-th interface."""
    digest = hashlib.sha256(f"{container_id}/{index}".encode()).hexdigest()
    return f"sk{tag}v{digest[:6]}"


def is_veth(tag: str, interface: str) -> bool:
    return interface.startswith(f"sk{tag}v")


def is_ours(tag: str, interface: str) -> bool:
    return interface.startswith((f"sk{tag}v", f"sk{tag}b"))


def table(tag: str) -> str:
    return f"stacker-{tag}"


def mac(address: str) -> str:
    """Locally administered, and the same whenever an address is given again.

    So a neighbour's cache is right when the next container gets the address of the last one.
    """
    return "02:5b:" + ":".join(f"{int(byte):02x}" for byte in address.split("."))


def dns_sockets(network: str) -> str:
    return f"{_DNS}{network}"


def port_sockets(container_id: str) -> str:
    return f"{_PORTS}{container_id}"


def is_kept_for_nobody(kept: str, networks: Set[str], containers: Set[str]) -> bool:
    """Whether a kept name is ours, and is that of a network or container that is not there."""
    if kept.startswith(_DNS):
        return kept.removeprefix(_DNS) not in networks
    return kept.startswith(_PORTS) and kept.removeprefix(_PORTS) not in containers


def owner_place(netns: Path) -> Path:
    """Where the user namespace is pinned that owns a container's pinned network namespace."""
    return netns.parent.with_name("userns") / netns.name


RULES_SOCKET = "rules"
