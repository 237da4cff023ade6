"""How a container's network comes and goes: the order of the steps, and why it is this one.

Addresses are taken first, on the event loop; then ports are reserved, for they are what can be
somebody else's; then links are made, and only at the end ports lead somewhere. Whatever fails,
the steps before it are undone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio

from stacker.drivers.networks import flows, names, planning, ports, sandbox_links, sysctls
from stacker.drivers.networks.coalesce import Coalesced
from stacker.drivers.networks.keep import KeepFds
from stacker.drivers.networks.memory import Memory
from stacker.drivers.networks.records import SandboxRecord
from stacker.drivers.networks.rules import Rules
from stacker.drivers.networks.workers import Workers
from stacker.plan.network_specs import PortSpec, PublishedPort, Sandbox, SandboxSpec


class SandboxLife:
    """Makes, repairs and removes sandboxes; many at once."""

    def __init__(
        self,
        tag: str,
        directory: Path,
        memory: Memory,
        rules: Rules,
        keep_fds: KeepFds,
        workers: Workers,
    ) -> None:
        self._tag = tag
        self._directory = directory
        self._memory = memory
        self._rules = rules
        self._keep_fds = keep_fds
        self._workers = workers
        self._leaving_paths: list[Path] = []
        self._leaving_links: list[str] = []
        self._tear_down = Coalesced(self._remove_leaving)

    async def attach(self, spec: SandboxSpec) -> Sandbox:
        known = self._memory.records.sandboxes.get(spec.container_id)
        if known is not None and not _same_shape(known.spec, spec):
            await self.detach(spec.container_id)
            known = None
        if known is None:
            path = self._directory / spec.container_id
            found: dict[str, str] = {}
            if path.exists():
                step = f"container {spec.name}: look into its namespace"
                found = await self._workers(step, sandbox_links.addresses, path)
            record, self._memory.records = planning.sandbox(
                spec, self._memory.records, netns=path, found=found
            )
        else:
            record = replace(known, spec=spec)
            self._memory.records = self._memory.records.with_sandbox(record)

        try:
            record = await self._make(record)
        except BaseException:
            if known is None:
                with anyio.CancelScope(shield=True):
                    await self.detach(spec.container_id)
            raise
        await self._memory.save()
        return record.sandbox

    async def detach(self, container_id: str) -> None:
        record = self._memory.records.sandboxes.get(container_id)
        self._leaving_paths.append(self._directory / container_id)
        if record is not None:
            self._memory.records = self._memory.records.without_sandbox(container_id)
            self._leaving_links += planning.outside_links(self._tag, record)
            if record.sandbox.ports:
                await self._rules.apply()
                await self._forget_flows(record, gone=True)
                await self._keep_fds.drop(names.port_sockets(container_id))
        await self._tear_down()
        if record is not None:
            await self._memory.save()

    async def check_ports(self, wanted: Sequence[PortSpec], besides: frozenset[str]) -> None:
        """Raise the error that publishing would raise, and keep nothing."""
        records = self._memory.records
        leaving = [
            port
            for key in besides & records.sandboxes.keys()
            for port in records.sandboxes[key].sandbox.ports
        ]
        others = [entry for entry in planning.published(records) if entry[1] not in leaving]
        free = [port for port in wanted if not any(ports.same(port, own) for own in leaving)]
        _, sockets = await self._workers("ports", ports.reserve, "publish", free, others)
        ports.close(sockets)

    async def hold_ports(self, record: SandboxRecord) -> SandboxRecord:
        """Have the reservations of a container, made when nobody holds them any more."""
        if not record.spec.ports:
            return record
        key = names.port_sockets(record.id)
        held = await self._keep_fds.fetch(key)
        for fd in held:
            os.close(fd)
        if len(held) == len(record.spec.ports) == len(record.sandbox.ports):
            return record

        wanted = _chosen(record.spec.ports, record.sandbox.ports)
        others = planning.published(self._memory.records, besides=record.id)
        published, sockets = await self._workers(
            f"container {record.spec.name}: reserve ports",
            ports.reserve,
            f"container {record.spec.name}",
            wanted,
            others,
        )
        try:
            await self._keep_fds.keep(key, [one.fileno() for one in sockets])
        finally:
            ports.close(sockets)
        record = replace(record, sandbox=replace(record.sandbox, ports=published))
        self._memory.records = self._memory.records.with_sandbox(record)
        return record

    async def _remove_leaving(self) -> None:
        paths, self._leaving_paths = self._leaving_paths, []
        outside, self._leaving_links = self._leaving_links, []
        await self._workers("sandboxes: remove", sandbox_links.tear_down, paths, outside)

    async def _make(self, record: SandboxRecord) -> SandboxRecord:
        record = await self.hold_ports(record)
        plan = planning.blueprint(self._tag, record, self._memory.records)
        step = f"container {record.spec.name}: make its network"
        await self._workers(step, sandbox_links.build, plan)
        if record.sandbox.ports:
            await self._open_loopback(record)
            await self._rules.apply()
            await self._forget_flows(record, gone=False)
        return record

    async def _forget_flows(self, record: SandboxRecord, *, gone: bool) -> None:
        """Let UDP clients be led anew: to the container, or to whoever has the port next."""
        published = {p.published for p in record.sandbox.ports if p.protocol == "udp"}
        if published:
            target = planning.published_address(record, self._memory.records)
            step = f"container {record.spec.name}: forget flows"
            await self._workers(step, flows.forget, published, None if gone else target)

    async def _open_loopback(self, record: SandboxRecord) -> None:
        bridge = planning.loopback_bridge(record, self._memory.records)
        if bridge is not None:
            values = sysctls.loopback_ports(bridge)
            await self._workers("publish", sysctls.write, record.spec.name, values)


def _same_shape(one: SandboxSpec, other: SandboxSpec) -> bool:
    """Whether they differ in nothing but names and name servers, which are looked up when asked."""
    return _shape(one) == _shape(other)


def _shape(spec: SandboxSpec) -> SandboxSpec:
    endpoints = tuple(replace(endpoint, aliases=()) for endpoint in spec.endpoints)
    return replace(spec, endpoints=endpoints, dns=(), links=(), name="", stack="")


def _chosen(wanted: Sequence[PortSpec], published: Sequence[PublishedPort]) -> tuple[PortSpec, ...]:
    """The ports as they were published before, so that a chosen number stays the same."""
    if len(wanted) != len(published):
        return tuple(wanted)
    pairs = zip(wanted, published, strict=True)
    return tuple(replace(port, published=made.published) for port, made in pairs)
