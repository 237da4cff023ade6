"""Which subnet a network gets, and which address a container: pure.

A subnet must not overlap with anything that the host has a route to (a VPN, a cloud's service
network), with other networks, nor hide a name server of the host. The same rules hold for a
subnet that the stack file gives, only that there a clash is the user's to resolve.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from stacker.base.errors import Conflict, Invalid

POOLS = (
    IPv4Network("10.89.0.0/16"),
    IPv4Network("172.27.0.0/16"),
    IPv4Network("192.168.128.0/17"),
)
PREFIX_LENGTH = 24

WIDEST_CLAIM = 8
"""A wider route (``0.0.0.0/0``, or a VPN's ``0.0.0.0/1``) is a way out, not somebody's network."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A range of addresses that somebody uses."""

    network: IPv4Network
    owner: str
    """For messages: ``the host's route 10.0.0.0/8``, ``network shop_front``."""


def route_claims(routes: Iterable[IPv4Network]) -> tuple[Claim, ...]:
    """What the host's routes claim; multicast and loopback are nobody's."""
    return tuple(
        Claim(route, f"the host's route {route}")
        for route in dict.fromkeys(routes)
        if route.prefixlen >= WIDEST_CLAIM and not route.is_multicast and not route.is_loopback
    )


def free_subnet(claims: Iterable[Claim]) -> IPv4Network:
    """The first subnet of the pools that overlaps with no claim."""
    taken = [claim.network for claim in claims]
    for pool in POOLS:
        near = [network for network in taken if network.overlaps(pool)]
        for subnet in pool.subnets(new_prefix=PREFIX_LENGTH):
            if not any(subnet.overlaps(network) for network in near):
                return subnet
    pools = ", ".join(str(pool) for pool in POOLS)
    raise Conflict(f"no free subnet is left in {pools}: give the network a subnet of its own")


def declared_subnet(name: str, subnet: str, claims: Iterable[Claim]) -> IPv4Network:
    """The subnet that a stack file gives; Conflict when somebody else has some of it."""
    try:
        network = IPv4Network(subnet)
    except ValueError as error:
        raise Invalid(f"network {name}: subnet {subnet}: {error}".lower()) from error

    if network.prefixlen > 30:
        raise Invalid(f"network {name}: subnet {subnet} has no room for a container")

    for claim in claims:
        if network.overlaps(claim.network):
            raise Conflict(f"network {name}: subnet {subnet} overlaps with {claim.owner}")
    return network


def gateway(name: str, subnet: IPv4Network, declared: str | None) -> IPv4Address:
    """The host's address on a network: the declared one, or the first of the subnet."""
    if declared is None:
        return subnet.network_address + 1

    address = _address(declared, f"network {name}: gateway")
    if not _usable(address, subnet):
        raise Invalid(f"network {name}: gateway {declared} is not in its subnet {subnet}")
    return address


def address_range(name: str, subnet: IPv4Network, ip_range: str | None) -> IPv4Network:
    """Where addresses are given out: the subnet, or the part of it that ``ip_range`` names."""
    if ip_range is None:
        return subnet

    try:
        part = IPv4Network(ip_range)
    except ValueError as error:
        raise Invalid(f"network {name}: ip_range {ip_range}: {error}".lower()) from error
    if not part.subnet_of(subnet):
        raise Invalid(f"network {name}: ip_range {ip_range} is not in its subnet {subnet}")
    return part


def free_address(
    name: str, subnet: IPv4Network, part: IPv4Network, taken: Iterable[str], *, after: str | None
) -> str:
    """The next free address, going round from the one given out last.

    An address rests as long as the others last, so that nothing that still speaks to a container
    that is gone meets the next one.
    """
    busy = {int(IPv4Address(address)) for address in taken}
    for candidate in _round(part, after):
        if _usable(candidate, subnet) and int(candidate) not in busy:
            return str(candidate)
    raise Conflict(f"network {name}: all addresses of {part} are in use")


def declared_address(name: str, subnet: IPv4Network, address: str, holders: dict[str, str]) -> str:
    """An address that the stack file gives to one container; ``holders`` says who has which."""
    parsed = _address(address, f"network {name}: address")
    if not _usable(parsed, subnet):
        raise Invalid(f"network {name}: address {address} is not in its subnet {subnet}")
    holder = holders.get(str(parsed))
    if holder is not None:
        raise Conflict(f"network {name}: address {address} is in use by {holder}")
    return str(parsed)


def is_usable(address: str, subnet: IPv4Network) -> bool:
    """Whether an address read from somewhere is one that a container can have there."""
    try:
        return _usable(IPv4Address(address), subnet)
    except ValueError:
        return False


def _round(part: IPv4Network, after: str | None) -> Iterator[IPv4Address]:
    size = part.num_addresses
    start = 0
    if after is not None and IPv4Address(after) in part:
        start = int(IPv4Address(after)) - int(part.network_address) + 1
    for step in range(size):
        yield part.network_address + (start + step) % size


def _usable(address: IPv4Address, subnet: IPv4Network) -> bool:
    return address in subnet and address not in (subnet.network_address, subnet.broadcast_address)


def _address(text: str, what: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError as error:
        raise Invalid(f"{what} {text} is not an ipv4 address") from error
