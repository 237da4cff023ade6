"""Which of a service's ``depends_on`` conditions are true, and which can never come true."""

from __future__ import annotations

from dataclasses import dataclass

from stacker.plan.desired import Desired
from stacker.plan.observed import Health, Observed, ObservedContainer, Status
from stacker.plan.plan import Await
from stacker.plan.restart import Stay, after_exit
from stacker.stack.model.life import Dependency


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """It is true now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    awaits: Await


@dataclass(frozen=True, slots=True, kw_only=True)
class Hopeless:
    """It does not come true unless somebody changes something."""

    awaits: Await
    reason: str


def check(
    desired: Desired, observed: Observed, name: str, dependency: Dependency
) -> Met | Unmet | Hopeless:
    """Look at all replicas of the service ``name``: a condition holds when it holds for each."""
    awaits = Await(service=name, condition=dependency.condition)
    containers = [c for c in observed.containers if c.service == name]
    if len(containers) < desired.replicas(name):
        return Unmet(awaits=awaits)

    for container in containers:
        reason = _hopeless(desired, name, container, dependency.condition)
        if reason:
            return Hopeless(awaits=awaits, reason=f"{name} {reason}")

    holds = all(_holds(container, dependency.condition) for container in containers)
    return Met() if holds else Unmet(awaits=awaits)


def _holds(container: ObservedContainer, condition: str) -> bool:
    completed = (
        container.status is Status.EXITED
        and container.exit is not None
        and container.exit.code == 0
    )
    match condition:
        case "service_healthy":
            return container.status is Status.RUNNING and container.health is Health.HEALTHY
        case "service_completed_successfully":
            return completed
        case _:
            return container.status is Status.RUNNING or completed


def _hopeless(
    desired: Desired, name: str, container: ObservedContainer, condition: str
) -> str | None:
    if name in desired.stopped:
        return "is stopped"
    if container.status is Status.RUNNING:
        if condition == "service_healthy" and container.health is Health.NONE:
            return "has no health check, so it never becomes healthy"
        return None

    if container.status is not Status.EXITED or container.exit is None:
        return None
    if container.id in desired.rerun:
        return None
    verdict = after_exit(
        desired.stack.services[name].restart,
        container.exit,
        failures=container.failures,
        restarts=container.restarts,
    )
    if not isinstance(verdict, Stay) or _holds(container, condition):
        return None
    return verdict.cause
