"""What the engine answers: stacks as they are, and the outcomes of what was asked."""

from __future__ import annotations

from dataclasses import dataclass

from stacker.engine.stack_loop import StackLoop
from stacker.plan.observed import ObservedContainer, Status
from stacker.stack.model.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOutcome:
    stack: str
    generation: int
    since: int
    """Number of the latest event before it: follow the events from here."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOutcome:
    ok: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    container: str
    service: str
    frames: bytes
    """Whole frames, see ``runtime.wire.frames``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    name: str
    desired: str
    """``up`` or ``stopped``"""
    generation: int
    files: tuple[str, ...]
    working_dir: str
    stack: Stack
    containers: tuple[ObservedContainer, ...]
    in_sync: bool
    next_at: float | None
    problems: tuple[str, ...]
    notes: dict[str, str]
    """Container name → what there is to say of it now: ``attempt 3 of 5``."""
    back_offs: dict[str, float]
    """Container name → when it is started again."""


def stack_state(loop: StackLoop, containers: tuple[ObservedContainer, ...]) -> StackState | None:
    """Say how a stack is; None while its first declaration is not accepted."""
    if loop.record is None or loop.desired is None:
        return None
    services = set(loop.desired.stack.services)
    latest = loop.latest
    problems = [str(failure) for failure in latest.failures]
    problems += [f"{service}: {reason}" for service, reason in latest.plan.problems]
    return StackState(
        name=loop.name,
        desired="stopped" if services and services <= loop.desired.stopped else "up",
        generation=loop.record.generation,
        files=loop.record.files,
        working_dir=loop.record.working_dir,
        stack=loop.desired.stack,
        containers=containers,
        in_sync=latest.number > 0
        and latest.plan.is_empty
        and not latest.failures
        # what has ended since that pass is for the next one to judge
        and _statuses(containers) == _statuses(latest.observed.containers),
        next_at=latest.plan.wake_at,
        problems=tuple(problems),
        notes=dict(latest.plan.notes),
        back_offs=dict(latest.plan.back_offs),
    )


def _statuses(containers: tuple[ObservedContainer, ...]) -> set[tuple[str, Status]]:
    return {(container.id, container.status) for container in containers}
