"""Probe results → starting, healthy or unhealthy.

The rules are Docker's: failures inside ``start_period`` do not count, one success ends it;
``retries`` failures in a row make it unhealthy; one success makes it healthy again.
Called by engine.health after each probe; the engine only runs probes, the verdict is made here.
"""

from __future__ import annotations

from dataclasses import dataclass

from stacker.oci.image_config import Healthcheck as ImageHealthcheck
from stacker.plan.observed import Health, Status
from stacker.stack.model.health import Healthcheck


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


def known_health(status: Status, health: Health, check: Check | None) -> Health:
    """What may be said of a container before its next probe: a check may have come or gone."""
    if status is not Status.RUNNING or check is None:
        return Health.NONE
    return Health.STARTING if health is Health.NONE else health


def next_probe_in(verdict: Verdict, check: Check, *, running_s: float) -> float:
    """Seconds until the next probe: quicker while the container is starting."""
    if verdict.health is Health.STARTING and running_s < check.start_period_s:
        return min(check.start_interval_s, check.interval_s)
    return check.interval_s


def check_of(declared: Healthcheck | None, image: ImageHealthcheck | None) -> Check | None:
    """Fold the stack file's check over the image's, and Docker's defaults under both.

    None: there is no check. A declared check without a test keeps the image's test and changes
    its times, as Compose has it.
    """
    if declared is not None and declared.disable:
        return None
    test = declared.test if declared is not None else None
    test = test if test is not None else (image.test if image is not None else None)
    if not test or test[0] == "NONE":
        return None

    def pick(ours: float | None, theirs_ns: int, default: float) -> float:
        if ours is not None:
            return ours
        return theirs_ns / 1e9 if theirs_ns else default

    return Check(
        test=("/bin/sh", "-c", *test[1:2]) if test[0] == "CMD-SHELL" else test[1:],
        interval_s=pick(
            declared.interval if declared else None, image.interval_ns if image else 0, 30.0
        ),
        timeout_s=pick(
            declared.timeout if declared else None, image.timeout_ns if image else 0, 30.0
        ),
        retries=int(
            pick(declared.retries if declared else None, 0, (image.retries if image else 0) or 3)
        ),
        start_period_s=pick(
            declared.start_period if declared else None,
            image.start_period_ns if image else 0,
            0.0,
        ),
        start_interval_s=pick(
            declared.start_interval if declared else None,
            image.start_interval_ns if image else 0,
            5.0,
        ),
    )
