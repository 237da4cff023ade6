"""File descriptors that outlive the supervisor: the monitor holds them under a name."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.wire.messages import MOST_FDS, Drop, Fetch, Keep, Listing, Names
from stacker.drivers.containers.monitor import Monitor
from stacker.drivers.containers.monitor_client import expect_done


class FdStore:
    """A name holds an ordered list. They are lost when the monitor dies."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    async def keep(self, name: str, fds: Sequence[int]) -> None:
        """Hold duplicates of these in place of what the name held."""
        for first in range(0, max(len(fds), 1), MOST_FDS):
            part = fds[first : first + MOST_FDS]
            reply = await self._monitor.request(Keep(name, first > 0), part)
            expect_done(reply, f"keep {name}")

    async def fetch(self, name: str) -> list[int]:
        """Return duplicates that belong to the caller; empty when nothing is held."""
        fds: list[int] = []
        while True:
            reply = await self._monitor.request(Fetch(name, len(fds)))
            expect_done(reply, f"fetch {name}")
            before = len(fds)
            while (fd := reply.take_fd()) is not None:
                fds.append(fd)
            if len(fds) - before < MOST_FDS:
                return fds

    async def names(self) -> list[str]:
        """Return every name that holds something."""
        reply = await self._monitor.request(Names())
        expect_done(reply, "list the kept names")
        return list(reply.message.names) if isinstance(reply.message, Listing) else []

    async def drop(self, name: str) -> None:
        """Close what the name holds; nothing happens when it holds nothing."""
        expect_done(await self._monitor.request(Drop(name)), f"drop {name}")
