"""How a network comes up and goes: the order of the steps, and why it is this one.

Coming up: the bridge is laid but down, the rules learn of it, only then packets may pass. Going
is the same backwards. So there is no moment at which a network is open and not isolated.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, ip_address

import anyio

from stacker.base.errors import Conflict, NotFound
from stacker.drivers.networks import bridges, forwarding, marks, observing, planning, sysctls
from stacker.drivers.networks.forwarding_note import ForwardingNote
from stacker.drivers.networks.memory import Memory
from stacker.drivers.networks.name_service import NameService
from stacker.drivers.networks.records import NetworkRecord
from stacker.drivers.networks.resolvers import HostResolvers
from stacker.drivers.networks.rules import Rules
from stacker.drivers.networks.workers import Workers
from stacker.plan.network_specs import NetworkSpec


class NetworkLife:
    """Makes, repairs and removes networks, one at a time."""

    def __init__(
        self,
        tag: str,
        memory: Memory,
        rules: Rules,
        name_service: NameService,
        resolvers: HostResolvers,
        workers: Workers,
        note: ForwardingNote,
    ) -> None:
        self._tag = tag
        self._memory = memory
        self._rules = rules
        self._name_service = name_service
        self._resolvers = resolvers
        self._workers = workers
        self._note = note
        self._one_at_a_time = anyio.Lock()

    async def ensure(self, spec: NetworkSpec) -> NetworkRecord:
        async with self._one_at_a_time:
            if spec.external:
                return self._of_another_stack(spec)

            known = self._of_this_stack(spec)
            if known is not None and not planning.same_shape(known.spec, spec):
                await self._remove(known)
                known = None
            record = replace(known, spec=spec) if known else await self.plan(spec)
            try:
                await self._raise(record)
            except BaseException:
                if known is None:
                    with anyio.CancelScope(shield=True):
                        await self._remove(record)
                raise
            return record

    async def remove(self, name: str) -> None:
        async with self._one_at_a_time:
            record = self._memory.records.networks.get(name)
            if record is not None:
                await self._remove(record)

    async def plan(self, spec: NetworkSpec) -> NetworkRecord:
        """Decide what a network is to be; Conflict when its name or subnet is somebody else's."""
        self._of_this_stack(spec)
        step = f"network {spec.name}: look at the host"
        kernel = await self._workers(step, observing.look)
        routes = await self._workers(step, observing.routes)
        servers = [ip_address(server) for server in self._resolvers.servers() if ":" not in server]
        surroundings = planning.Surroundings(
            routes=routes,
            resolvers=[IPv4Network(str(server)) for server in servers],
            interfaces=kernel.links.keys(),
            remnant=marks.remnant(self._tag, spec.name, kernel),
        )
        return planning.network(spec, self._tag, self._memory.records, surroundings)

    def _of_this_stack(self, spec: NetworkSpec) -> NetworkRecord | None:
        record = self._memory.records.networks.get(spec.name)
        if record is not None and record.spec.stack != spec.stack:
            raise Conflict(
                f"network {spec.name} belongs to stack {record.spec.stack}: call it external to"
                " use it, or give this one another name"
            )
        return record

    def _of_another_stack(self, spec: NetworkSpec) -> NetworkRecord:
        record = self._memory.records.networks.get(spec.name)
        if record is None:
            raise NotFound(
                f"network {spec.name}: it is external and no stack that is up declares it"
            )
        return record

    async def forwarding_before(self, step: str) -> bool:
        """What ``ip_forward`` was: as recorded, or as bridges or the note tell where it is lost."""
        recorded = self._memory.records.forwarding_before
        if recorded is not None:
            return recorded
        kernel = await self._workers(step, observing.look)
        noted = await self._workers(step, self._note.read)
        return forwarding.before(self._tag, kernel, noted=noted)

    async def restore_forwarding(self, step: str, before: bool) -> None:
        """Put it back when no network leads out any more."""
        records = self._memory.records
        if not any(not other.spec.internal for other in records.networks.values()):
            await self._workers(f"{step}: put ip_forward back", _put_back, self._tag, before)
        if not records.networks:
            await self._workers(f"{step}: forget ip_forward", self._note.remove)
            self._memory.records = replace(records, forwarding_before=None)

    async def _raise(self, record: NetworkRecord) -> None:
        name = record.spec.name
        before = await self.forwarding_before(f"network {name}")
        if self._memory.records.forwarding_before is None:
            await self._workers(f"network {name}: note ip_forward", self._note.write, before)
        members = planning.links_on(self._tag, name, self._memory.records)
        self._memory.records = replace(
            self._memory.records.with_network(record), forwarding_before=before
        )
        step = f"network {name}: lay the bridge"
        await self._workers(step, bridges.lay, record, self._tag, before, members)
        await self._rules.apply()
        await self._workers(f"network {name}: raise the bridge", _open, record)
        await self._name_service.start(record)
        await self._memory.save()

    async def _remove(self, record: NetworkRecord) -> None:
        name = record.spec.name
        members = self._memory.records.members(name)
        if members:
            raise Conflict(f"network {name}: container {members[0].spec.name} is still on it")

        await self._name_service.stop(name)
        before = await self.forwarding_before(f"network {name}")
        await self._workers(
            f"network {name}: remove the bridge", bridges.remove, record.bridge, self._tag
        )
        rest = self._memory.records.without_network(name)
        self._memory.records = rest
        await self.restore_forwarding(f"network {name}", before)
        await self._rules.apply()
        await self._memory.save()


def _open(record: NetworkRecord) -> None:
    bridges.raise_up(record)
    if not record.spec.internal:
        sysctls.set_forwarding(True)


def _put_back(tag: str, before: bool) -> None:
    forwarding.put_back(tag, observing.look(), before=before)
