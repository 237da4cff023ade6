"""How a network comes up and goes: the order of the steps, and why it is this one.

Coming up: the bridge is laid but down, the rules learn of it, only then packets may pass. Going
is the same backwards. So there is no moment at which a network is open and not isolated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
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

    async def check(self, spec: NetworkSpec) -> None:
        """Raise what stands in the way of ``ensure``, and change nothing."""
        if spec.external:
            self._of_another_stack(spec)
        else:
            await self.plan(spec)

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

    async def take_away(
        self, step: str, remove: Callable[[], None], *, network: str | None = None
    ) -> None:
        """Remove the bridge of a network, or strays; put ``ip_forward`` back with the last."""
        names = self._memory.records.networks.keys() - {network}
        leads_out = any(not self._memory.records.networks[n].spec.internal for n in names)

        def take() -> None:
            with forwarding.alone():
                before = self._forwarding_before()  # what is about to go may be all that tells
                remove()
                if not leads_out:
                    forwarding.put_back(self._tag, observing.look(), before=before)
                if not names:
                    self._note.remove()

        await self._workers(step, take)
        records = self._memory.records
        if network is not None:
            records = records.without_network(network)
        if not names:
            records = replace(records, forwarding_before=None)
        self._memory.records = records

    def _forwarding_before(self) -> bool:
        """What it was: as recorded, or as bridges or the note tell where that is lost."""
        recorded = self._memory.records.forwarding_before
        if recorded is not None:
            return recorded
        return forwarding.before(observing.look(), noted=self._note.read())

    async def _raise(self, record: NetworkRecord) -> None:
        name = record.spec.name
        members = planning.links_on(self._tag, name, self._memory.records)
        self._memory.records = self._memory.records.with_network(record)
        before = await self._workers(f"network {name}: lay the bridge", self._lay, record, members)
        self._memory.records = replace(self._memory.records, forwarding_before=before)
        await self._rules.apply()
        loopback = planning.is_reached_from_loopback(record.bridge, self._memory.records)
        await self._workers(f"network {name}: raise the bridge", _open, record, loopback)
        await self._name_service.start(record)
        await self._memory.save()

    def _lay(self, record: NetworkRecord, members: Sequence[str]) -> bool:
        """Have the bridge, and say what ``ip_forward`` was before the first one."""
        with forwarding.alone():
            before = self._forwarding_before()
            if self._memory.records.forwarding_before is None:
                self._note.write(before)
            bridges.lay(record, self._tag, before, members)
        return before

    async def _remove(self, record: NetworkRecord) -> None:
        name = record.spec.name
        members = self._memory.records.members(name)
        if members:
            raise Conflict(f"network {name}: container {members[0].spec.name} is still on it")

        await self._name_service.stop(name)
        await self.take_away(
            f"network {name}: remove the bridge",
            partial(bridges.remove, record.bridge, self._tag),
            network=name,
        )
        await self._rules.apply()
        await self._memory.save()


def _open(record: NetworkRecord, loopback: bool) -> None:
    if loopback:  # a bridge that was gone has lost it
        sysctls.write(f"network {record.spec.name}", sysctls.loopback_ports(record.bridge))
    bridges.raise_up(record)
    if not record.spec.internal:
        sysctls.set_forwarding(True)
