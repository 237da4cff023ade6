"""What the driver remembers of networks and sandboxes, and its JSON form: pure.

Only what cannot be read back from the kernel: what was asked for, and which address, name and
port were chosen.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from stacker.base.id_range import IdRange
from stacker.base.ids import is_valid
from stacker.plan.network_specs import (
    Endpoint,
    EndpointSpec,
    NetworkSpec,
    PortSpec,
    PublishedPort,
    Sandbox,
    SandboxSpec,
)

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecord:
    """A network that has been made."""

    spec: NetworkSpec
    bridge: str
    subnet: str
    gateway: str
    last_address: str | None = None
    """Where the search for the next free address goes on."""

    @property
    def range(self) -> IPv4Network:
        return IPv4Network(self.subnet)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRecord:
    """A sandbox that has been made, or is being made."""

    spec: SandboxSpec
    sandbox: Sandbox

    @property
    def id(self) -> str:
        return self.spec.container_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """All of it, as one value: replaced, never changed."""

    networks: dict[str, NetworkRecord] = field(default_factory=dict[str, NetworkRecord])
    sandboxes: dict[str, SandboxRecord] = field(default_factory=dict[str, SandboxRecord])
    forwarding_before: bool | None = None
    """What ``ip_forward`` was before our first network; None: we have not touched it."""

    def with_network(self, record: NetworkRecord) -> Records:
        return replace(self, networks={**self.networks, record.spec.name: record})

    def without_network(self, name: str) -> Records:
        return replace(self, networks={k: v for k, v in self.networks.items() if k != name})

    def with_sandbox(self, record: SandboxRecord) -> Records:
        return replace(self, sandboxes={**self.sandboxes, record.id: record})

    def without_sandbox(self, container_id: str) -> Records:
        kept = {k: v for k, v in self.sandboxes.items() if k != container_id}
        return replace(self, sandboxes=kept)

    def holders(self, network: str) -> dict[str, str]:
        """Who has which address of a network, for messages."""
        found = {
            endpoint.ipv4_address: f"container {record.spec.name}"
            for record in self.sandboxes.values()
            for endpoint in record.sandbox.endpoints
            if endpoint.network == network
        }
        if network in self.networks:
            found[self.networks[network].gateway] = "the gateway"
        return found

    def members(self, network: str) -> list[SandboxRecord]:
        return [
            record
            for record in self.sandboxes.values()
            if any(endpoint.network == network for endpoint in record.sandbox.endpoints)
        ]


def to_json(records: Records) -> bytes:
    document = {
        "version": VERSION,
        "forwarding_before": records.forwarding_before,
        "networks": [asdict(record) for record in records.networks.values()],
        "sandboxes": [asdict(record) for record in records.sandboxes.values()],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def from_json(data: bytes) -> Records:
    """ValueError, TypeError or KeyError when it is not what ``to_json`` wrote."""
    document: dict[str, Any] = json.loads(data)
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']} is unknown")
    networks = [_network(entry) for entry in document["networks"]]
    sandboxes = [_sandbox_record(entry) for entry in document["sandboxes"]]
    _check(networks, sandboxes)
    return Records(
        networks={record.spec.name: record for record in networks},
        sandboxes={record.id: record for record in sandboxes},
        forwarding_before=document["forwarding_before"],
    )


def _check(networks: list[NetworkRecord], sandboxes: list[SandboxRecord]) -> None:
    """ValueError for what cannot have been written: it would be found out much later else."""
    for network in networks:
        if IPv4Address(network.gateway) not in network.range:
            raise ValueError(f"network {network.spec.name}: {network.gateway} is not in it")
    for record in sandboxes:
        if not is_valid(record.id) or record.sandbox.container_id != record.id:
            raise ValueError(f"container id {record.id!r} is not one")
        wished = {wish.network for wish in record.spec.endpoints}
        for endpoint in record.sandbox.endpoints:
            IPv4Address(endpoint.ipv4_address)
            if endpoint.network not in wished:
                raise ValueError(f"container {record.spec.name}: nobody wished {endpoint.network}")
        for port in record.sandbox.ports:
            if not 0 < port.published < 65536 or not 0 < port.target < 65536:
                raise ValueError(f"container {record.spec.name}: {port.published} is no port")
            if port.protocol not in ("tcp", "udp"):
                raise ValueError(f"container {record.spec.name}: protocol {port.protocol}")
            IPv4Address(port.host_ip)


def _network(entry: dict[str, Any]) -> NetworkRecord:
    fields: dict[str, Any] = dict(entry)
    fields["spec"] = NetworkSpec(**fields["spec"])
    return NetworkRecord(**fields)


def _sandbox_record(entry: dict[str, Any]) -> SandboxRecord:
    spec: dict[str, Any] = dict(entry["spec"])
    spec["endpoints"] = tuple(_wish(wish) for wish in spec["endpoints"])
    spec["ports"] = tuple(PortSpec(**port) for port in spec["ports"])
    spec["dns"] = tuple(spec["dns"])
    # a note of an earlier version does not know them
    spec["links"] = tuple((alias, name) for alias, name in spec.get("links", ()))
    spec["ids"] = IdRange(**ids) if (ids := spec.get("ids")) else None

    sandbox: dict[str, Any] = dict(entry["sandbox"])
    sandbox["endpoints"] = tuple(Endpoint(**made) for made in sandbox["endpoints"])
    sandbox["ports"] = tuple(PublishedPort(**port) for port in sandbox["ports"])
    sandbox["name_servers"] = tuple(sandbox["name_servers"])
    return SandboxRecord(spec=SandboxSpec(**spec), sandbox=Sandbox(**sandbox))


def _wish(entry: dict[str, Any]) -> EndpointSpec:
    fields: dict[str, Any] = dict(entry)
    fields["aliases"] = tuple(fields["aliases"])
    return EndpointSpec(**fields)
