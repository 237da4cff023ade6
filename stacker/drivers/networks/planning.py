"""What a network or a sandbox is going to be, decided before anything is touched: pure.

Raises the errors of bad input (a taken subnet, address or name); what comes out of here can only
fail for reasons of the kernel.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from stacker.base.errors import Conflict, Invalid, NotFound
from stacker.drivers.networks import ipam, names
from stacker.drivers.networks.blueprint import Blueprint, Wire
from stacker.drivers.networks.records import NetworkRecord, Records, SandboxRecord
from stacker.drivers.networks.ruleset import RuleNetwork, RulePort, Ruleset, ruleset
from stacker.plan.network_specs import (
    Endpoint,
    EndpointSpec,
    NetworkSpec,
    PublishedPort,
    Sandbox,
    SandboxSpec,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the host has already, as far as a new network must heed it."""

    routes: Sequence[IPv4Network] = ()
    resolvers: Sequence[IPv4Network] = ()
    interfaces: Collection[str] = ()
    remnant: Remnant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remnant:
    """The bridge of this very network, that a lost state file has left in the kernel."""

    bridge: str
    subnet: str
    gateway: str


def same_shape(one: NetworkSpec, other: NetworkSpec) -> bool:
    """Whether a network made for one spec serves the other as it is."""
    fields = ("internal", "subnet", "gateway", "ip_range", "bridge", "mtu")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


def network(
    spec: NetworkSpec, tag: str, records: Records, surroundings: Surroundings
) -> NetworkRecord:
    """The record of a network that is to be made, or that is there and was forgotten."""
    remnant = surroundings.remnant
    if remnant is not None and _fits(spec, remnant):
        return NetworkRecord(
            spec=spec, bridge=remnant.bridge, subnet=remnant.subnet, gateway=remnant.gateway
        )

    others = [record for name, record in records.networks.items() if name != spec.name]
    claims = [
        ipam.Claim(record.range, f"network {record.spec.name} ({record.subnet})")
        for record in others
    ]
    own = [record.range for record in records.networks.values()]
    foreign = [
        route for route in surroundings.routes if not any(route.subnet_of(subnet) for subnet in own)
    ]
    claims += ipam.route_claims(foreign)
    if spec.subnet is None:
        hidden = [ipam.Claim(address, "a name server") for address in surroundings.resolvers]
        subnet = ipam.free_subnet([*claims, *hidden])
    else:
        subnet = ipam.declared_subnet(spec.name, spec.subnet, claims)

    ipam.address_range(spec.name, subnet, spec.ip_range)
    return NetworkRecord(
        spec=spec,
        bridge=_bridge(spec, tag, [record.bridge for record in others], surroundings.interfaces),
        subnet=str(subnet),
        gateway=str(ipam.gateway(spec.name, subnet, spec.gateway)),
    )


def _fits(spec: NetworkSpec, remnant: Remnant) -> bool:
    pairs = (
        (spec.bridge, remnant.bridge),
        (spec.subnet, remnant.subnet),
        (spec.gateway, remnant.gateway),
    )
    return all(wish is None or wish == found for wish, found in pairs) and spec.ip_range is None


def _bridge(spec: NetworkSpec, tag: str, taken: Sequence[str], interfaces: Collection[str]) -> str:
    if spec.bridge is None:
        number = 0
        while names.bridge(tag, number) in taken or names.bridge(tag, number) in interfaces:
            number += 1
        return names.bridge(tag, number)

    if not 0 < len(spec.bridge.encode()) <= names.LONGEST or "/" in spec.bridge:
        raise Invalid(f"network {spec.name}: bridge name {spec.bridge!r} has 1 to 15 bytes, no /")
    if spec.bridge in taken:
        raise Conflict(f"network {spec.name}: bridge {spec.bridge} is another network's")
    return spec.bridge


def sandbox(
    spec: SandboxSpec, records: Records, *, netns: Path, found: Mapping[str, str]
) -> tuple[SandboxRecord, Records]:
    """The record of a sandbox that is to be made, and the records with its addresses taken.

    ``found`` are the addresses by interface in a namespace that was forgotten: kept if possible.
    """
    endpoints: list[Endpoint] = []
    for index, wish in enumerate(spec.endpoints):
        home = records.networks.get(wish.network)
        if home is None:
            raise NotFound(f"container {spec.name}: network {wish.network} does not exist")
        endpoint = _endpoint(spec, wish, index, home, records, found)
        endpoints.append(endpoint)
        records = records.with_network(replace(home, last_address=endpoint.ipv4_address))

    if spec.ports and _outward(endpoints, records) is None:
        raise Invalid(
            f"container {spec.name}: port {spec.ports[0].target}/{spec.ports[0].protocol}"
            " cannot be published: it is on no network but internal ones"
        )
    made = Sandbox(
        container_id=spec.container_id,
        netns=str(netns),
        endpoints=tuple(endpoints),
        ports=(),
        name_servers=(endpoints[0].gateway,) if endpoints else (),
        userns=None if spec.ids is None else str(names.owner_place(netns)),
    )
    record = SandboxRecord(spec=spec, sandbox=made)
    return record, records.with_sandbox(record)


def _endpoint(
    spec: SandboxSpec,
    wish: EndpointSpec,
    index: int,
    home: NetworkRecord,
    records: Records,
    found: Mapping[str, str],
) -> Endpoint:
    interface = wish.interface_name or f"eth{index}"
    if not 0 < len(interface.encode()) <= names.LONGEST or "/" in interface:
        raise Invalid(f"container {spec.name}: interface name {interface!r} has 1 to 15 bytes")

    holders = records.holders(wish.network)
    kept = found.get(interface, "")
    if wish.ipv4_address is not None:
        address = ipam.declared_address(wish.network, home.range, wish.ipv4_address, holders)
    elif kept not in holders and ipam.is_usable(kept, home.range):
        address = kept
    else:
        part = ipam.address_range(wish.network, home.range, home.spec.ip_range)
        address = ipam.free_address(
            wish.network, home.range, part, holders, after=home.last_address
        )
    return Endpoint(
        network=wish.network,
        interface=interface,
        ipv4_address=address,
        prefix_length=home.range.prefixlen,
        gateway=home.gateway,
        mac_address=wish.mac_address or names.mac(address),
    )


def blueprint(tag: str, record: SandboxRecord, records: Records) -> Blueprint:
    """What is to be built for a sandbox."""
    outward = _outward(record.sandbox.endpoints, records)
    wires = tuple(
        Wire(
            endpoint=endpoint,
            outside=names.veth(tag, record.id, index),
            bridge=records.networks[endpoint.network].bridge,
            mtu=records.networks[endpoint.network].spec.mtu,
            published=endpoint is outward and bool(record.spec.ports),
        )
        for index, endpoint in enumerate(record.sandbox.endpoints)
        if endpoint.network in records.networks
    )
    return Blueprint(
        name=record.spec.name,
        path=Path(record.sandbox.netns),
        wires=wires,
        gateway=outward.gateway if outward else None,
        sysctls=record.spec.sysctls,
        ids=record.spec.ids,
    )


def outside_links(tag: str, record: SandboxRecord) -> list[str]:
    count = len(record.sandbox.endpoints)
    return [names.veth(tag, record.id, index) for index in range(count)]


def links_on(tag: str, network: str, records: Records) -> list[str]:
    """The host's ends of all links on one network."""
    return [
        names.veth(tag, record.id, index)
        for record in records.sandboxes.values()
        for index, endpoint in enumerate(record.sandbox.endpoints)
        if endpoint.network == network
    ]


def known_links(tag: str, records: Records) -> frozenset[str]:
    """Every link on the host that ought to be there."""
    bridges = {record.bridge for record in records.networks.values()}
    veths = {link for record in records.sandboxes.values() for link in outside_links(tag, record)}
    return frozenset(bridges | veths)


def loopback_bridge(record: SandboxRecord, records: Records) -> str | None:
    """The bridge over which published ports of a container are reached from 127.0.0.1."""
    outward = _outward(record.sandbox.endpoints, records)
    local = any(_leads_from_loopback(port.host_ip) for port in record.sandbox.ports)
    return records.networks[outward.network].bridge if outward and local else None


def is_reached_from_loopback(bridge: str, records: Records) -> bool:
    return any(loopback_bridge(each, records) == bridge for each in records.sandboxes.values())


def _leads_from_loopback(host_ip: str) -> bool:
    return host_ip == "0.0.0.0" or IPv4Address(host_ip).is_loopback


def published_address(record: SandboxRecord, records: Records) -> str | None:
    """The address that its published ports lead to."""
    outward = _outward(record.sandbox.endpoints, records)
    return outward.ipv4_address if outward else None


def rules(tag: str, records: Records) -> Ruleset:
    """The whole packet filter."""
    networks = [
        RuleNetwork(
            bridge=record.bridge,
            subnet=record.subnet,
            gateway=record.gateway,
            internal=record.spec.internal,
        )
        for record in records.networks.values()
    ]
    ports = [
        RulePort(
            host_ip=port.host_ip,
            published=port.published,
            protocol=port.protocol,
            address=outward.ipv4_address,
            target=port.target,
        )
        for record in records.sandboxes.values()
        if (outward := _outward(record.sandbox.endpoints, records)) is not None
        for port in record.sandbox.ports
    ]
    return ruleset(names.table(tag), networks, ports)


def published(records: Records, *, besides: str = "") -> list[tuple[str, PublishedPort]]:
    """Every published port with the name of its container."""
    return [
        (record.spec.name, port)
        for record in records.sandboxes.values()
        if record.id != besides
        for port in record.sandbox.ports
    ]


def _outward(endpoints: Sequence[Endpoint], records: Records) -> Endpoint | None:
    """The first endpoint that is not on an internal network: the way out, and of the ports."""
    for endpoint in endpoints:
        home = records.networks.get(endpoint.network)
        if home is not None and not home.spec.internal:
            return endpoint
    return None
