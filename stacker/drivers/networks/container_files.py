"""The content of a container's ``/etc/resolv.conf`` and ``/etc/hosts``: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stacker.drivers.networks.resolvers import parse
from stacker.plan.network_specs import Sandbox

HOST_GATEWAY = "host-gateway"
"""In ``extra_hosts``: the host's address as the container sees it."""

_LOCAL = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::0", "ip6-localnet"),
    ("ff00::0", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)


def resolv_conf(
    sandbox: Sandbox | None,
    *,
    dns: Sequence[str],
    search: Sequence[str],
    options: Sequence[str],
    host_resolv_conf: bytes,
) -> str:
    """Name servers, search list and options; ``sandbox`` None: the container is on the host's.

    On a network the server is ours, which asks the container's own ``dns`` for other names. The
    search list ``.`` stands for none (resolv.conf(5)).
    """
    host = parse(host_resolv_conf)
    servers = sandbox.name_servers if sandbox is not None else tuple(dns) or host.servers
    domains = tuple(search) or host.search
    chosen = tuple(options) or host.options
    if sandbox is not None and not any(option.startswith("ndots:") for option in chosen):
        # a service's name has no dot and is to be asked as it is
        chosen = (*chosen, "ndots:0")

    lines = [f"nameserver {server}" for server in servers]
    if domains and domains != (".",):
        lines.append(f"search {' '.join(domains)}")
    if chosen:
        lines.append(f"options {' '.join(chosen)}")
    return "".join(f"{line}\n" for line in lines)


def hosts(
    sandbox: Sandbox | None,
    *,
    hostname: str,
    extra_hosts: Mapping[str, Sequence[str]],
) -> str:
    """Loopback, the container's own name, and what the stack file adds."""
    endpoints = sandbox.endpoints if sandbox is not None else ()
    gateway = endpoints[0].gateway if endpoints else "127.0.0.1"
    entries = [
        *_LOCAL,
        *((endpoint.ipv4_address, hostname) for endpoint in endpoints),
        *(
            (gateway if address == HOST_GATEWAY else address, name)
            for name, addresses in extra_hosts.items()
            for address in addresses
        ),
    ]
    return "".join(f"{address}\t{names}\n" for address, names in entries)
