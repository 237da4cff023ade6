"""Checks of what has a number: published ports, fixed addresses, subnets. Used by `check.py`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import NodePath
from stacker.stack.model import Network, Port, Stack

Finding = tuple[NodePath, str]

_EVERY_ADDRESS = (None, "0.0.0.0", "::")


def ports_once(stack: Stack) -> Iterator[Finding]:
    """No two services, and no two replicas, publish the same port of the host."""
    taken: dict[tuple[int, str], list[tuple[str, Port]]] = {}
    for key, service in stack.services.items():
        path: NodePath = ("services", key, "ports")
        for port in service.ports:
            if port.published is None:
                continue
            if service.deploy.replicas > 1:
                yield path, f"port {port.published} of the host for several replicas"
            others = taken.setdefault((port.published, port.protocol), [])
            for other, held in others:
                if _same_address(port.host_ip, held.host_ip):
                    number = f"{port.published}/{port.protocol}"
                    yield path, f"port {number} of the host is published by {quoted(other)} already"
            others.append((key, port))


def _same_address(one: str | None, other: str | None) -> bool:
    return one == other or one in _EVERY_ADDRESS or other in _EVERY_ADDRESS


def pools_fit(stack: Stack) -> Iterator[Finding]:
    """Gateway and range lie in their subnet; no two networks of the file overlap."""
    seen: list[tuple[str, IPv4Network]] = []
    for key, network in stack.networks.items():
        path: NodePath = ("networks", key, "ipam", "config")
        for index, pool in enumerate(network.ipam.config):
            here = (*path, index)
            if pool.subnet is None:
                if pool.gateway or pool.ip_range:
                    yield here, "gateway and ip_range need a subnet"
                continue
            subnet = IPv4Network(pool.subnet)
            if subnet.prefixlen > 30:
                yield here, f"subnet {subnet} has no room for a gateway and a container"
            if pool.gateway and IPv4Address(pool.gateway) not in subnet:
                yield here, f"gateway {pool.gateway} is not in {subnet}"
            if pool.ip_range and not IPv4Network(pool.ip_range).subnet_of(subnet):
                yield here, f"ip_range {pool.ip_range} is not in {subnet}"
            for other, held in seen:
                if subnet.overlaps(held):
                    yield here, f"subnet {subnet} overlaps {held} of network {quoted(other)}"
            seen.append((key, subnet))


def fixed_addresses_fit(stack: Stack) -> Iterator[Finding]:
    taken: dict[tuple[str, str], str] = {}
    for key, service in stack.services.items():
        for name, attachment in service.networks.items():
            address, network = attachment.ipv4_address, stack.networks.get(name)
            if address is None or network is None:
                continue
            path: NodePath = ("services", key, "networks", name, "ipv4_address")
            if service.deploy.replicas > 1:
                yield path, "one address, but several replicas"
            if not network.external and (reason := _unfit(address, network)):
                yield path, reason
            if (name, address) in taken:
                yield path, f"{address} is the address of {quoted(taken[name, address])} too"
            taken[name, address] = key


def _unfit(address: str, network: Network) -> str | None:
    """Why an address cannot be had on a network."""
    subnets = [IPv4Network(pool.subnet) for pool in network.ipam.config if pool.subnet]
    if not subnets:
        return "a fixed address needs a network whose ipam names its subnet"

    wanted = IPv4Address(address)
    holding = [subnet for subnet in subnets if wanted in subnet]
    if not holding:
        return f"{address} is not in {' or '.join(map(str, subnets))}"
    if wanted in (holding[0].network_address, holding[0].broadcast_address):
        return f"{address} is the address of the subnet itself, or its broadcast"
    if address in [pool.gateway for pool in network.ipam.config]:
        return f"{address} is the gateway"

    return None


ADDRESS_CHECKS = (ports_once, pools_fit, fixed_addresses_fit)
