"""Run health probes; the verdict is plan.health's.

One task for each running container that has a check, for as long as that process runs. Called by
the stack's loop after each pass (``sync``); tells the loop when a verdict changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import anyio
from anyio.abc import TaskGroup

from stacker.base.errors import StackerError
from stacker.engine.bus import Bus
from stacker.engine.containers import ContainerRecords
from stacker.engine.endure import endure
from stacker.engine.ports import Containers
from stacker.plan.health import Check, Verdict, after_probe, next_probe_in
from stacker.plan.observed import Health, ObservedContainer, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A running container and what it is probed with."""

    container: ObservedContainer
    check: Check
    user: str | None


class HealthProbes:
    """The probes of one stack's containers."""

    def __init__(
        self,
        containers: Containers,
        records: ContainerRecords,
        bus: Bus,
        *,
        tasks: TaskGroup,
        wake: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self._containers = containers
        self._records = records
        self._bus = bus
        self._tasks = tasks
        self._wake = wake
        self._now = now
        self._running: dict[tuple[str, int], tuple[Check, anyio.CancelScope]] = {}

    def sync(self, probed: tuple[Probed, ...]) -> None:
        """Start and end probes so that exactly these containers are probed."""
        wanted = {
            (p.container.id, p.container.pid): p
            for p in probed
            if p.container.status is Status.RUNNING and p.container.pid is not None
        }
        for key, (check, scope) in list(self._running.items()):
            if key not in wanted or wanted[key].check != check:
                scope.cancel()
                del self._running[key]
        for key, target in wanted.items():
            if key not in self._running:
                scope = anyio.CancelScope()
                self._running[key] = (target.check, scope)
                self._tasks.start_soon(self._probe, target, scope)

    def stop(self) -> None:
        self.sync(())

    async def _probe(self, target: Probed, scope: anyio.CancelScope) -> None:
        with scope:
            await endure(f"probe {target.container.name}", partial(self._probe_on, target))

    async def _probe_on(self, target: Probed) -> None:
        container, check = target.container, target.check
        began = self._now() if container.started_at is None else container.started_at
        known = container.health if container.health is not Health.NONE else Health.STARTING
        verdict = Verdict(health=known)
        self._note(container, verdict)

        while True:
            running_s = max(0.0, self._now() - began)
            await anyio.sleep(next_probe_in(verdict, check, running_s=running_s))
            succeeded, detail = await self._ask(target)
            verdict = after_probe(
                verdict,
                check,
                succeeded=succeeded,
                detail=detail,
                running_s=max(0.0, self._now() - began),
            )
            self._note(container, verdict)

    async def _ask(self, target: Probed) -> tuple[bool, str]:
        try:
            result = await self._containers.run(
                target.container.id,
                target.check.test,
                timeout_s=target.check.timeout_s,
                user=target.user,
            )
        except StackerError as error:
            return False, str(error)
        if result.timed_out:
            return False, f"no answer within {target.check.timeout_s:g} s"
        if result.code == 0:
            return True, ""
        lines = result.output.strip().splitlines()
        return False, lines[-1][:200] if lines else f"exited with {result.code}"

    def _note(self, container: ObservedContainer, verdict: Verdict) -> None:
        record = self._records.get(container.id)
        if record is None or record.pid != container.pid or record.health is verdict.health:
            return
        self._records.update(
            container.id,
            lambda r: replace(r, health=verdict.health, health_detail=verdict.detail),
        )
        detail = f": {verdict.detail}" if verdict.detail else ""
        self._bus.emit(
            "container.health",
            f"{container.name} is {verdict.health.value}{detail}",
            stack=container.stack,
            service=container.service,
            container=container.name,
            health=verdict.health.value,
            detail=verdict.detail,
        )
        self._wake()
