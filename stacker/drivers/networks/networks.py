"""The networks driver: bridges, sandboxes, rules and name servers of one state root.

The engine calls it through ``engine.ports.Networks``. Every method is idempotent, leaves nothing
half-made when it raises, and raises ``base.errors`` only. Leaving the context stops nothing: the
links, the rules and the sockets stay for the next supervisor.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from stacker.base.atomic import sweep_unfinished
from stacker.base.errors import StackerError
from stacker.drivers.networks import (
    container_files,
    names,
    namespaces,
    observing,
    planning,
    sweeping,
)
from stacker.drivers.networks.forwarding_note import ForwardingNote
from stacker.drivers.networks.keep import KeepFds
from stacker.drivers.networks.memory import Memory
from stacker.drivers.networks.name_service import NameService
from stacker.drivers.networks.network_life import NetworkLife
from stacker.drivers.networks.records import NetworkRecord
from stacker.drivers.networks.resolvers import HostResolvers
from stacker.drivers.networks.rules import Rules
from stacker.drivers.networks.sandbox_life import SandboxLife
from stacker.drivers.networks.watch import watch_links
from stacker.drivers.networks.workers import Workers
from stacker.plan.network_specs import NetworkSpec, PortSpec, Sandbox, SandboxSpec
from stacker.plan.observed import ObservedNetwork

log = logging.getLogger(__name__)


class Networks:
    """``tag``: six hex digits of the state root, in every name on the host."""

    def __init__(self, *, root: Path, run: Path, tag: str, keep_fds: KeepFds) -> None:
        self._tag = tag
        self._homes = (root, run)
        """Where the note and the records lie."""
        self._directory = run / "netns"
        self._note = ForwardingNote(root)
        self._workers = Workers()
        self._memory = Memory(run / "networks.json", self._workers)
        self._keep_fds = keep_fds
        self._resolvers = HostResolvers()
        self._rules = Rules(tag, self._memory, keep_fds, self._workers, self._wake)
        self._watchers: set[MemoryObjectSendStream[None]] = set()
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._workers("network state: sweep", sweep_unfinished, self._homes)
        await self._memory.load()
        tasks = await self._opened.enter_async_context(anyio.create_task_group())
        self._opened.callback(tasks.cancel_scope.cancel)
        self._opened.callback(self._rules.close)
        name_service = NameService(tasks, self._memory, self._keep_fds, self._resolvers)
        self._networks = NetworkLife(
            self._tag,
            self._memory,
            self._rules,
            name_service,
            self._resolvers,
            self._workers,
            self._note,
        )
        self._sandboxes = SandboxLife(
            self._tag, self._directory, self._memory, self._rules, self._keep_fds, self._workers
        )
        try:
            await self._take_over(name_service)
            tasks.start_soon(watch_links, self._is_ours, self._wake)
            tasks.start_soon(self._rules.watch)
        except BaseException:
            await self._opened.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def ensure(self, spec: NetworkSpec) -> ObservedNetwork:
        """Make or repair a network; Conflict names whose subnet it overlaps with."""
        return _observed(await self._networks.ensure(spec), spec, None)

    async def remove(self, name: str) -> None:
        """Remove a network; Conflict while a container is on it."""
        await self._networks.remove(name)

    async def check_network(self, spec: NetworkSpec) -> None:
        """Raise what ``ensure`` would raise for bad input, and change nothing."""
        await self._networks.check(spec)

    async def check_ports(self, ports: Sequence[PortSpec], *, besides: Collection[str]) -> None:
        """Raise Conflict when one is taken by anything but the containers ``besides``."""
        await self._sandboxes.check_ports(ports, frozenset(besides))

    async def observe(self) -> tuple[ObservedNetwork, ...]:
        """All networks, with what the kernel has lost of them."""
        kernel = await self._workers("networks: observe", observing.look)
        filter_problem = await self._rules.problem()
        return tuple(
            _observed(
                record, record.spec, observing.network_problem(record, kernel) or filter_problem
            )
            for record in self._memory.records.networks.values()
        )

    async def attach(self, spec: SandboxSpec) -> Sandbox:
        """Make or repair a container's network namespace; Conflict names who has a port."""
        return await self._sandboxes.attach(spec)

    async def pin_again(self, container_id: str, pid: int) -> None:
        """Name the namespace of a process that runs, where somebody has taken the name away."""
        await self._workers(
            f"container {container_id}: pin its namespace",
            namespaces.pin_of_process,
            self._directory / container_id,
            pid,
        )

    async def detach(self, container_id: str) -> None:
        """Remove a sandbox and free its addresses and ports."""
        await self._sandboxes.detach(container_id)

    async def sandboxes(self) -> tuple[Sandbox, ...]:
        """All sandboxes, with what the kernel has lost of them."""
        kernel = await self._workers("networks: observe", observing.look)
        records = self._memory.records
        bridges = {name: record.bridge for name, record in records.networks.items()}
        return tuple(
            replace(
                record.sandbox,
                problem=observing.sandbox_problem(self._tag, record, kernel, bridges),
            )
            for record in records.sandboxes.values()
        )

    async def sweep(self, needed_ids: Collection[str]) -> None:
        """Remove the sandboxes of all other containers, and what nobody remembers."""
        for container_id in set(self._memory.records.sandboxes) - set(needed_ids):
            await self._sandboxes.detach(container_id)
        known = planning.known_links(self._tag, self._memory.records)
        # also those that a lost state file does not name: somebody runs in them
        kept = frozenset(self._memory.records.sandboxes) | frozenset(needed_ids)
        await self._networks.take_away(
            "networks: sweep",
            partial(sweeping.sweep, self._tag, self._directory, known, kept),
        )

    async def counters(self, container_id: str) -> tuple[int, int]:
        """Received and sent bytes of all its interfaces, as the container sees them."""
        record = self._memory.records.sandboxes.get(container_id)
        if record is None:
            return (0, 0)
        return observing.traffic(planning.outside_links(self._tag, record))

    async def watch(self) -> AsyncGenerator[None]:
        """Wake whenever something of ours has been taken away or changed by others."""
        send, receive = anyio.create_memory_object_stream[None](1)
        self._watchers.add(send)
        try:
            with send, receive:
                async for _ in receive:
                    yield
        finally:
            self._watchers.discard(send)

    def resolv_conf(
        self,
        sandbox: Sandbox | None,
        *,
        dns: Sequence[str],
        search: Sequence[str],
        options: Sequence[str],
    ) -> str:
        """The content of a container's ``/etc/resolv.conf``."""
        return container_files.resolv_conf(
            sandbox,
            dns=dns,
            search=search,
            options=options,
            host_resolv_conf=self._resolvers.raw(),
        )

    def hosts(
        self, sandbox: Sandbox | None, *, hostname: str, extra_hosts: Mapping[str, Sequence[str]]
    ) -> str:
        """The content of a container's ``/etc/hosts``."""
        return container_files.hosts(sandbox, hostname=hostname, extra_hosts=extra_hosts)

    async def _take_over(self, name_service: NameService) -> None:
        """Go on where the last supervisor was: rules, reservations, name servers."""
        await self._rules.open()
        records = self._memory.records
        for name in await self._keep_fds.names():
            if names.is_kept_for_nobody(name, records.networks.keys(), records.sandboxes.keys()):
                await self._keep_fds.drop(name)
        for record in self._memory.records.sandboxes.values():
            try:
                await self._sandboxes.hold_ports(record)
            except StackerError as error:
                log.warning("%s", error)
        for network in self._memory.records.networks.values():
            try:
                await name_service.start(network)
            except StackerError as error:
                log.warning("%s", error)

    def _is_ours(self, interface: str) -> bool:
        return interface in planning.known_links(self._tag, self._memory.records)

    def _wake(self) -> None:
        for watcher in self._watchers:
            with suppress(anyio.WouldBlock, anyio.BrokenResourceError):
                watcher.send_nowait(None)


def _observed(record: NetworkRecord, spec: NetworkSpec, problem: str | None) -> ObservedNetwork:
    return ObservedNetwork(
        name=spec.name,
        stack=spec.stack,
        key=spec.key,
        fingerprint=spec.fingerprint,
        bridge=record.bridge,
        subnet=record.subnet,
        gateway=record.gateway,
        problem=problem,
    )
