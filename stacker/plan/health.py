"""Probe results → starting, healthy or unhealthy.

The rules are Docker's: failures inside ``start_period`` do not count, one success ends it;
``retries`` failures in a row make it unhealthy; one success makes it healthy again.
Called by engine.health after each probe; the engine only runs probes, the verdict is made here.
"""

from __future__ import annotations

from dataclasses import dataclass

from stacker.plan.observed import Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A health check with every default filled in. Times in seconds."""

    test: tuple[str, ...]
    """What is executed: the form ``CMD-SHELL`` has become ``/bin/sh -c …``."""
    interval_s: float = 30.0
    timeout_s: float = 30.0
    retries: int = 3
    start_period_s: float = 0.0
    start_interval_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The health of one container so far."""

    health: Health = Health.STARTING
    failing_streak: int = 0
    detail: str = ""
    """The latest failing probe, one line; empty after a success."""


def after_probe(
    verdict: Verdict, check: Check, *, succeeded: bool, detail: str, running_s: float
) -> Verdict:
    """Fold one more probe into the verdict."""
    if succeeded:
        return Verdict(health=Health.HEALTHY)

    in_start_period = verdict.health is Health.STARTING and running_s < check.start_period_s
    streak = verdict.failing_streak if in_start_period else verdict.failing_streak + 1
    health = Health.UNHEALTHY if streak >= check.retries else verdict.health
    return Verdict(health=health, failing_streak=streak, detail=detail)


def next_probe_in(verdict: Verdict, check: Check, *, running_s: float) -> float:
    """Seconds until the next probe: quicker while the container is starting."""
    if verdict.health is Health.STARTING and running_s < check.start_period_s:
        return min(check.start_interval_s, check.interval_s)
    return check.interval_s
