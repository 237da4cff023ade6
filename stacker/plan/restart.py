"""What to do when a container's process has ended.

Rule 1: every restart decision is made here, from arguments alone.
Rule 2: this file does not know how a container is started; it says when and why.

Called by plan.services for each container that is not running. The back-off is Docker's (100 ms,
doubling, at most one minute, forgotten after ten seconds of running), unless the stack file gives
``deploy.restart_policy.delay``, which is then the first step, and ``window``, the time to settle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stacker.plan.observed import Exit
from stacker.stack.model.life import RestartPolicy

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 60.0
SETTLED_AFTER_S = 10.0
"""A process that ran this long was up: the next failure starts the back-off anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    at: float
    """Seconds since the epoch; in the past: now."""
    cause: str
    """Shown to the user as written: ``exited with 1, attempt 3 of 5``."""
    note: str
    """The same beside the exit status, which is not said again: ``attempt 3 of 5``."""


class End(StrEnum):
    """Why a container stays as it is."""

    COMPLETED = "completed"
    """It ended with 0 and nobody asked for more."""
    FAILED = "failed"
    """It ended with an error and its policy does not start it again."""
    GAVE_UP = "gave up"
    """Its attempts are used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    end: End
    cause: str
    note: str = ""
    """What ``cause`` adds to the exit status."""


def after_exit(policy: RestartPolicy, exit: Exit, *, failures: int, restarts: int) -> Again | Stay:
    """Decide whether the container runs again, and when.

    ``failures`` counts the starts in a row that did not settle, ``restarts`` all automatic ones.
    An unknown exit status counts as a failure: a status that nobody saw is never taken for 0.
    """
    failed = exit.code != 0
    said = describe_exit(exit)

    if policy.condition == "no" or (policy.condition == "on-failure" and not failed):
        return Stay(end=End.FAILED if failed else End.COMPLETED, cause=said)

    if policy.max_attempts is not None and restarts >= policy.max_attempts:
        note = f"all {policy.max_attempts} attempts used up"
        return Stay(end=End.GAVE_UP, cause=f"{said}, {note}", note=note)

    of = f" of {policy.max_attempts}" if policy.max_attempts is not None else ""
    delay = backoff_s(failures, first=policy.delay)
    note = f"attempt {restarts + 1}{of}"
    return Again(at=exit.at + delay, cause=f"{said}, {note}", note=note)


def backoff_s(failures: int, *, first: float | None = None) -> float:
    """Return the pause before the next start, in seconds: doubled each time, and capped."""
    base = FIRST_DELAY_S if first is None else first
    longest = max(LONGEST_DELAY_S, base)
    return min(base * 2.0 ** min(failures, 32), longest)


def settled_after_s(policy: RestartPolicy) -> float:
    return SETTLED_AFTER_S if policy.window is None else policy.window


def failures_after(failures: int, *, ran_s: float, settled_s: float) -> int:
    """Count one more start that ended after ``ran_s`` seconds."""
    return 0 if ran_s >= settled_s else failures + 1


def describe_exit(exit: Exit) -> str:
    """``exited with 1``, ``killed by signal 9``, ``killed: out of memory``."""
    if exit.oom:
        return "killed: out of memory"
    if exit.code is None:
        return "ended with an unknown status"
    if exit.signal is not None:
        return f"killed by signal {exit.signal}"
    return f"exited with {exit.code}"
