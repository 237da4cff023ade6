"""The plan: a directed graph of operations that prints itself.

``str(plan)`` is what ``stacker plan`` shows and what the tests compare. The executor carries it
out in any order that respects ``needs``; a step that ``awaits`` something is left for a later
pass, when an event has shown that it came true.
"""

from __future__ import annotations

from dataclasses import dataclass

from stacker.plan.operations import AnyOperation


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """A ``depends_on`` condition that is not true yet."""

    service: str
    condition: str
    """``service_started``, ``service_healthy`` or ``service_completed_successfully``"""

    def __str__(self) -> str:
        state = self.condition.removeprefix("service_").replace("_", " ")
        return f"{self.service} {state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    number: int
    """1, 2, 3 … within its plan."""
    operation: AnyOperation
    needs: tuple[int, ...] = ()
    """Steps that must have succeeded before."""
    awaits: tuple[Await, ...] = ()

    @property
    def text(self) -> str:
        return self.operation.text

    @property
    def cause(self) -> str:
        return self.operation.cause

    def __str__(self) -> str:
        after = f" after {', '.join(f'#{n}' for n in self.needs)}" if self.needs else ""
        waits = f" when {', '.join(map(str, self.awaits))}" if self.awaits else ""
        return f"#{self.number} {self.text}{after}{waits}: {self.cause}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    steps: tuple[Step, ...] = ()
    wake_at: float | None = None
    """Seconds since the epoch: plan again then, even when nothing happens (a back-off ends)."""
    notes: tuple[tuple[str, str], ...] = ()
    """(container name, what there is to say of it now): ``attempt 3 of 5``."""
    back_offs: tuple[tuple[str, float], ...] = ()
    """(container name, when it is started again)."""
    problems: tuple[tuple[str, str], ...] = ()
    """(service, what stands in the way and does not go away by itself)."""

    @property
    def is_empty(self) -> bool:
        return not self.steps

    @property
    def ready(self) -> tuple[Step, ...]:
        """The steps that can be carried out now: none that awaits, none that needs such a one."""
        held: set[int] = set()
        ready: list[Step] = []
        for step in self.steps:
            if step.awaits or not held.isdisjoint(step.needs):
                held.add(step.number)
            else:
                ready.append(step)
        return tuple(ready)

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps)) if self.steps else "nothing to do"


class PlanBuilder:
    """Collects steps; numbers grow, so a step can only need earlier ones: no cycles."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def add(
        self,
        operation: AnyOperation,
        *,
        needs: tuple[int, ...] = (),
        awaits: tuple[Await, ...] = (),
    ) -> int:
        """Append a step and return its number."""
        number = len(self._steps) + 1
        self._steps.append(
            Step(
                number=number,
                operation=operation,
                needs=tuple(sorted(set(needs))),
                awaits=awaits,
            )
        )
        return number

    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps)
