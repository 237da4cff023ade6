"""Stop, start, restart, kill: what a user asks of services beside the stack file.

Each is a change of what is wanted; the stack's loop plans and carries it out like all else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from signal import SIGKILL

import anyio

from stacker.base.errors import Conflict, Failed
from stacker.base.signals import signal_number
from stacker.engine.loops import Loops
from stacker.engine.observe import observe
from stacker.engine.stack_loop import StackLoop
from stacker.engine.tools import Tools
from stacker.plan.desired import Desired
from stacker.plan.observed import Status


class Services:
    def __init__(self, tools: Tools, loops: Loops) -> None:
        self._tools = tools
        self._loops = loops

    async def stop(self, stack: str, services: tuple[str, ...], *, timeout_s: float | None) -> None:
        """Stop services; they stay stopped until ``start`` or ``up``."""
        if self._withdrawn(stack):
            return
        names = self._loops.services(stack, services)
        number = self._declare_stopped(stack, names, grace_s=timeout_s)
        await self._until_stopped(stack, names, number)

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
        if number == SIGKILL and self._withdrawn(stack):
            return
        names = self._loops.services(stack, services)
        ends = number == SIGKILL
        asked = self._declare_stopped(stack, names, grace_s=0) if ends else 0
        # at once: the loop may be waiting for the grace of an earlier `stop` to pass
        for container in await self._loops.running(stack):
            if container.service in names:
                await self._tools.containers.signal(container.id, number, all=ends)
        if ends:
            await self._until_stopped(stack, names, asked)

    def _withdrawn(self, stack: str) -> bool:
        """Whether it is still being staged for the first time: then it is not begun at all."""
        loop = self._loops.named(stack)
        if loop.desired is not None or loop.is_ending:
            return False
        loop.withdraw()
        return True

    def _declare_stopped(self, stack: str, names: frozenset[str], *, grace_s: float | None) -> int:
        return self._loops.named(stack).ask(
            lambda desired: replace(desired, stopped=desired.stopped | names), grace_s=grace_s
        )

    async def _until_stopped(self, stack: str, names: frozenset[str], number: int) -> None:
        loop = self._loops.named(stack)
        while True:
            changed = loop.changed
            observed = await observe(self._tools, stack, None, {})
            if not any(
                c.service in names and c.status is Status.RUNNING for c in observed.containers
            ):
                return
            await _next(loop, changed, number)

    async def _ask_and_settle(
        self, stack: str, change: Callable[[Desired], Desired], *, grace_s: float | None = None
    ) -> None:
        loop = self._loops.named(stack)
        number = loop.ask(change, grace_s=grace_s)
        while loop.latest.answered < number:
            await _next(loop, loop.changed, number)


async def _next(loop: StackLoop, changed: anyio.Event, number: int) -> None:
    """Wait for a pass; raise what one that knew of the question could not do."""
    if not loop.ended.is_set():
        await changed.wait()
    if loop.latest.answered >= number and loop.latest.failures:
        raise Failed("; ".join(str(failure) for failure in loop.latest.failures))
    if loop.is_ending or loop.ended.is_set():
        raise Conflict(f"stack {loop.name} is being taken down")
