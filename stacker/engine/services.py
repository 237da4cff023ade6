"""Stop, start, restart, kill: what a user asks of services beside the stack file.

Each is a change of what is wanted; the stack's loop plans and carries it out like all else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from stacker.base.errors import Failed
from stacker.engine.loops import Loops
from stacker.engine.observe import observe
from stacker.engine.perform import Tools, signal_number
from stacker.plan.desired import Desired
from stacker.plan.observed import ObservedContainer, Status


class Services:
    def __init__(self, tools: Tools, loops: Loops) -> None:
        self._tools = tools
        self._loops = loops

    async def stop(self, stack: str, services: tuple[str, ...], *, timeout_s: float | None) -> None:
        """Stop services; they stay stopped until ``start`` or ``up``."""
        names = self._loops.services(stack, services)
        self._loops.named(stack).ask(
            lambda desired: replace(desired, stopped=desired.stopped | names), grace_s=timeout_s
        )
        await self._until(stack, lambda c: c.service not in names or c.status is not Status.RUNNING)

    async def start(self, stack: str, services: tuple[str, ...]) -> None:
        names = self._loops.services(stack, services)
        ended = frozenset(
            r.id
            for r in self._tools.records.of_stack(stack)
            if r.service in names and r.exit is not None
        )

        def change(desired: Desired) -> Desired:
            return replace(desired, stopped=desired.stopped - names, rerun=desired.rerun | ended)

        await self._ask_and_settle(stack, change)

    async def restart(
        self, stack: str, services: tuple[str, ...], *, timeout_s: float | None
    ) -> None:
        names = self._loops.services(stack, services)
        ids = frozenset(r.id for r in self._tools.records.of_stack(stack) if r.service in names)

        def change(desired: Desired) -> Desired:
            return replace(desired, stopped=desired.stopped - names, restart=desired.restart | ids)

        await self._ask_and_settle(stack, change, grace_s=timeout_s)

    async def kill(self, stack: str, services: tuple[str, ...], *, signal: str) -> None:
        """Send a signal; one that ends them (KILL) declares them stopped, as ``stop`` does."""
        number = signal_number(signal)
        names = self._loops.services(stack, services)
        if number == 9:
            await self.stop(stack, tuple(names), timeout_s=0)
            return
        for container in await self._loops.running(stack):
            if container.service in names:
                await self._tools.containers.signal(container.id, number)

    async def _until(self, stack: str, holds: Callable[[ObservedContainer], bool]) -> None:
        """Wait until something holds for every container, or the loop reports a failure."""
        loop = self._loops.named(stack)
        while True:
            observed = await observe(self._tools, stack, None, {})
            if all(holds(container) for container in observed.containers):
                return
            await loop.next_change()
            if loop.latest.failures:
                raise Failed("; ".join(str(failure) for failure in loop.latest.failures))

    async def _ask_and_settle(
        self, stack: str, change: Callable[[Desired], Desired], *, grace_s: float | None = None
    ) -> None:
        loop = self._loops.named(stack)
        loop.ask(change, grace_s=grace_s)
        number = loop.latest.number
        while loop.latest.number == number:
            await loop.next_change()
        if loop.latest.failures:
            raise Failed("; ".join(str(failure) for failure in loop.latest.failures))
