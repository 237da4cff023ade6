"""Records for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stacker.base.id_range import IdRange
from stacker.drivers.networks import planning
from stacker.drivers.networks.records import NetworkRecord, Records
from stacker.plan.network_specs import (
    EndpointSpec,
    NetworkSpec,
    PortSpec,
    PublishedPort,
    SandboxSpec,
)

NETWORKS = {"front": (0, False), "back": (1, False), "vault": (2, True)}


def network(name: str) -> NetworkRecord:
    number, internal = NETWORKS[name]
    return NetworkRecord(
        spec=NetworkSpec(name=name, stack="s", key=name, fingerprint="f", internal=internal),
        bridge=f"sk5ac0deb{number}",
        subnet=f"10.89.{number}.0/24",
        gateway=f"10.89.{number}.1",
    )


def sandbox_spec(
    name: str,
    *networks: str,
    aliases: tuple[str, ...] = (),
    ports: tuple[PortSpec, ...] = (),
    links: tuple[tuple[str, str], ...] = (),
    ids: IdRange | None = None,
) -> SandboxSpec:
    return SandboxSpec(
        container_id=name.encode().hex(),
        stack="s",
        name=name,
        endpoints=tuple(EndpointSpec(network=one, aliases=(name, *aliases)) for one in networks),
        ports=ports,
        links=links,
        ids=ids,
    )


def records(*specs: SandboxSpec) -> Records:
    made = Records(networks={name: network(name) for name in NETWORKS}, forwarding_before=False)
    for spec in specs:
        record, made = planning.sandbox(
            spec, made, netns=Path("/run/netns") / spec.container_id, found={}
        )
        ports = tuple(
            PublishedPort(
                target=port.target,
                published=port.published or 40000,
                protocol=port.protocol,
                host_ip=port.host_ip,
            )
            for port in spec.ports
        )
        made = made.with_sandbox(replace(record, sandbox=replace(record.sandbox, ports=ports)))
    return made
