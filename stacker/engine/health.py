"""Run health probes; the verdict is plan.health's.

One task for each running container that has a check, for as long as that process runs. Called by
the stack's loop after each pass (``sync``); tells the loop when a verdict changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import anyio
from anyio.abc import TaskGroup

from stacker.base.errors import StackerError
from stacker.engine.bus import Bus
from stacker.engine.containers import ContainerRecords
from stacker.engine.endure import endure
from stacker.engine.ports import Containers
from stacker.plan.health import Check, Verdict, after_probe, known_health, next_probe_in
from stacker.plan.observed import Health, ObservedContainer, Status


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

    def sync(
        self, checked: Sequence[tuple[ObservedContainer, Check | None]]
    ) -> tuple[ObservedContainer, ...]:
        """Probe exactly these containers; return them with what is known of their health.

        A check that has come with the file, or a start that nobody noted, is not taken for a
        container without one: whoever waits for health would be told too early.
        """
        known = tuple(self._known(container, check) for container, check in checked)
        wanted = {
            (container.id, container.pid): (container, check)
            for container, (_, check) in zip(known, checked, strict=True)
            if check is not None
            and container.status is Status.RUNNING
            and container.pid is not None
        }
        for key, (check, scope) in list(self._running.items()):
            if key not in wanted or wanted[key][1] != check:
                scope.cancel()
                del self._running[key]
        for key, (container, check) in wanted.items():
            if key not in self._running:
                scope = anyio.CancelScope()
                self._running[key] = (check, scope)
                self._tasks.start_soon(self._probe, container, check, scope)
        return known

    def stop(self) -> None:
        self.sync(())

    def _known(self, container: ObservedContainer, check: Check | None) -> ObservedContainer:
        health = known_health(container.status, container.health, check)
        if health is container.health:
            return container
        self._note(container, Verdict(health=health))
        return replace(container, health=health, health_detail="")

    async def _probe(
        self, container: ObservedContainer, check: Check, scope: anyio.CancelScope
    ) -> None:
        with scope:
            await endure(f"probe {container.name}", partial(self._probe_on, container, check))

    async def _probe_on(self, container: ObservedContainer, check: Check) -> None:
        began = self._now() if container.started_at is None else container.started_at
        verdict = Verdict(health=container.health)

        while True:
            running_s = max(0.0, self._now() - began)
            await anyio.sleep(next_probe_in(verdict, check, running_s=running_s))
            succeeded, detail = await self._ask(container, check)
            verdict = after_probe(
                verdict,
                check,
                succeeded=succeeded,
                detail=detail,
                running_s=max(0.0, self._now() - began),
            )
            self._note(container, verdict)

    async def _ask(self, container: ObservedContainer, check: Check) -> tuple[bool, str]:
        try:
            result = await self._containers.run(
                container.id, check.test, timeout_s=check.timeout_s, user=None
            )
        except StackerError as error:
            return False, str(error)
        if result.timed_out:
            return False, f"no answer within {check.timeout_s:g} s"
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
        no_more = verdict.health is Health.NONE
        self._bus.emit(
            "container.health",
            f"{container.name} has no health check any more"
            if no_more
            else f"{container.name} is {verdict.health.value}{detail}",
            stack=container.stack,
            service=container.service,
            container=container.name,
            health=verdict.health.value,
            detail=verdict.detail,
        )
        self._wake()
