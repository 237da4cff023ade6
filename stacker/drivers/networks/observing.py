"""What the kernel has now of what was made: two dumps, then questions about them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network

from stacker.base.errors import Failed
from stacker.drivers.networks import names, namespaces, sysctls
from stacker.drivers.networks.netlink import links
from stacker.drivers.networks.netlink.conversation import ROUTE, Conversation, Refused
from stacker.drivers.networks.records import NetworkRecord, SandboxRecord


@dataclass(frozen=True, slots=True)
class Kernel:
    """The links and addresses of the host, at one moment."""

    links: dict[str, links.Link]
    addresses: dict[int, set[str]]
    """By link index: ``10.89.0.1/24``."""
    forwarding: bool


def look() -> Kernel:
    """Blocking: two dumps."""
    try:
        with Conversation(ROUTE) as host:
            found = [links.read_link(message) for message in host.dump(links.get_links())]
            addresses: dict[int, set[str]] = {}
            for message in host.dump(links.get_addresses()):
                index, address, prefix_length = links.read_address(message)
                addresses.setdefault(index, set()).add(f"{address}/{prefix_length}")
    except (Refused, OSError) as error:
        raise Failed(f"networks: look at the host's links: {error}") from error
    return Kernel({link.name: link for link in found}, addresses, sysctls.forwarding())


def routes() -> list[IPv4Network]:
    """Where the host has routes to, in all tables. Blocking."""
    try:
        with Conversation(ROUTE) as host:
            return [links.read_route(message) for message in host.dump(links.get_routes())]
    except (Refused, OSError) as error:
        raise Failed(f"networks: look at the host's routes: {error}") from error


def traffic(outside: list[str]) -> tuple[int, int]:
    """Received and sent bytes of a container: what the other ends have sent and received."""
    received = sent = 0
    with Conversation(ROUTE) as host:
        for name in outside:
            with suppress(Refused, IndexError):
                mine = links.read_bytes(host.request([links.get_link(name)])[0])
                received, sent = received + mine[1], sent + mine[0]
    return received, sent


def network_problem(record: NetworkRecord, kernel: Kernel) -> str | None:
    link = kernel.links.get(record.bridge)
    if link is None:
        return f"bridge {record.bridge} is gone"
    if not link.up:
        return f"bridge {record.bridge} is down"
    if f"{record.gateway}/{record.range.prefixlen}" not in kernel.addresses.get(link.index, ()):
        return f"address {record.gateway} is gone"
    if not record.spec.internal and not kernel.forwarding:
        return "ip_forward is off"
    return None


def sandbox_problem(
    tag: str, record: SandboxRecord, kernel: Kernel, bridges: dict[str, str]
) -> str | None:
    """``bridges`` has the bridge of each network."""
    if not namespaces.is_pinned(record.sandbox.netns):
        return "network namespace is gone"
    if record.sandbox.userns is not None and not namespaces.is_pinned(record.sandbox.userns):
        return "user namespace is gone"
    for index, endpoint in enumerate(record.sandbox.endpoints):
        outside = kernel.links.get(names.veth(tag, record.id, index))
        bridge = kernel.links.get(bridges.get(endpoint.network, ""))
        if outside is None:
            return f"veth on {endpoint.network} is gone"
        if not outside.up:
            return f"veth on {endpoint.network} is down"
        if bridge is None or outside.master != bridge.index:
            return f"veth on {endpoint.network} is off its bridge"
    return None
