"""Keeping the kernel's packet filter equal to what the records ask for.

However many containers start at once, few transactions carry their ports. When somebody else has
changed our table it is put back at once, without asking anybody: it has one owner.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import anyio

from stacker.drivers.networks import names, planning
from stacker.drivers.networks.coalesce import Coalesced
from stacker.drivers.networks.filter_table import FilterTable
from stacker.drivers.networks.keep import KeepFds
from stacker.drivers.networks.memory import Memory
from stacker.drivers.networks.ruleset import Ruleset
from stacker.drivers.networks.watch import watch_rules
from stacker.drivers.networks.workers import Workers


class Rules:
    """The table of one state root: there while there is a network."""

    def __init__(
        self,
        tag: str,
        memory: Memory,
        keep_fds: KeepFds,
        workers: Workers,
        changed: Callable[[], None],
    ) -> None:
        self._tag = tag
        self._memory = memory
        self._keep_fds = keep_fds
        self._workers = workers
        self._changed = changed
        self._table: FilterTable | None = None
        self._applied: Ruleset | None = None
        self._busy = anyio.Lock()
        self.apply = Coalesced(self._apply)
        """Have the rules that the records ask for, in the kernel when this returns."""

    async def open(self) -> None:
        """Take the kept table over, and put in it what the records say."""
        kept = await self._keep_fds.fetch(names.RULES_SOCKET)
        if kept:
            self._table = FilterTable(names.table(self._tag), kept[0])
            for surplus in kept[1:]:
                os.close(surplus)
        await self.apply()

    def close(self) -> None:
        """Forget the table; it stays in the kernel."""
        if self._table is not None:
            self._table.close()

    async def problem(self) -> str | None:
        """What is wrong with the table in the kernel; None: nothing."""
        async with self._busy:
            if self._table is None or self._applied is None:
                return None
            return await self._workers("packet filter: look at it", self._table.problem)

    async def watch(self) -> None:
        """Put the table back whenever somebody else has changed it, until cancelled."""
        await watch_rules(self._port, self._look_again)

    def _port(self) -> int:
        return -1 if self._table is None else self._table.port

    async def _look_again(self) -> None:
        if await self.problem() is not None:
            self._applied = None
            await self.apply()
            self._changed()

    async def _apply(self) -> None:
        records = self._memory.records
        async with self._busy:
            if not records.networks:
                await self._take_down()
                return
            wanted = planning.rules(self._tag, records)
            if wanted == self._applied:
                return
            if self._table is None:
                self._table = FilterTable(names.table(self._tag), None)
                await self._keep_fds.keep(names.RULES_SOCKET, [self._table.fileno()])
            self._applied = None
            await self._workers("packet filter: apply the rules", self._table.put, wanted)
            self._applied = wanted

    async def _take_down(self) -> None:
        self._applied = None
        if self._table is None:
            return
        await self._workers("packet filter: remove the rules", self._table.remove)
        await self._keep_fds.drop(names.RULES_SOCKET)
        self._table.close()
        self._table = None
