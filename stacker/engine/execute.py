"""Carry out the steps of a plan that are ready, each as soon as those it needs have succeeded.

No decisions: a step that needs a failed one is skipped, everything else goes on. What comes out
is the list of failures; the next pass observes again and plans again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from stacker.base.errors import StackerError
from stacker.engine.bus import Bus
from stacker.plan.operations import AnyOperation
from stacker.plan.plan import Plan, Step

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailure:
    step: Step
    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.step.text}: {self.message}"


async def execute(
    plan: Plan, perform: Callable[[AnyOperation], Awaitable[None]], *, bus: Bus, stack: str
) -> tuple[StepFailure, ...]:
    """Run ``plan.ready`` and return what failed."""
    return await _Execution(plan, perform, bus=bus, stack=stack).run()


class _Execution:
    def __init__(
        self,
        plan: Plan,
        perform: Callable[[AnyOperation], Awaitable[None]],
        *,
        bus: Bus,
        stack: str,
    ) -> None:
        self._steps = plan.ready
        self._perform = perform
        self._bus = bus
        self._stack = stack
        self._ended = {step.number: anyio.Event() for step in self._steps}
        self._succeeded: set[int] = set()
        self._failures: list[StepFailure] = []

    async def run(self) -> tuple[StepFailure, ...]:
        async with anyio.create_task_group() as tasks:
            for step in self._steps:
                tasks.start_soon(self._run_step, step)
        return tuple(sorted(self._failures, key=lambda failure: failure.step.number))

    async def _run_step(self, step: Step) -> None:
        try:
            for number in step.needs:
                await self._ended[number].wait()
            if self._succeeded.issuperset(step.needs):
                await self._attempt(step)
        finally:
            self._ended[step.number].set()

    async def _attempt(self, step: Step) -> None:
        began = anyio.current_time()
        self._tell("step.started", step)
        try:
            await self._perform(step.operation)
        except StackerError as error:
            self._fail(step, error.kind, str(error))
        except Exception as error:
            # a bug in one step must not end the supervision of all the others
            log.exception("step %s of stack %s", step.text, self._stack)
            self._fail(step, "internal", f"internal error: {error!r}")
        else:
            self._succeeded.add(step.number)
            self._tell("step.done", step, seconds=round(anyio.current_time() - began, 3))

    def _fail(self, step: Step, kind: str, message: str) -> None:
        self._failures.append(StepFailure(step=step, kind=kind, message=message))
        self._tell("step.failed", step, error=message, error_kind=kind)

    def _tell(
        self,
        kind: str,
        step: Step,
        *,
        seconds: float | None = None,
        error: str | None = None,
        error_kind: str | None = None,
    ) -> None:
        self._bus.emit(
            kind,
            f"{step.text}: {error or step.cause}",
            stack=self._stack,
            service=getattr(step.operation, "service", ""),
            step=step.number,
            text=step.text,
            cause=step.cause,
            seconds=seconds,
            error=error,
            error_kind=error_kind,
        )
