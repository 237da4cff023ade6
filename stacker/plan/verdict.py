"""Has a stack become what was declared? The answer that ``up --wait`` waits for."""

from __future__ import annotations

from dataclasses import dataclass

from stacker.plan.desired import Desired, container_name
from stacker.plan.observed import Health, Observed, ObservedContainer, Status
from stacker.plan.plan import Plan
from stacker.plan.restart import End, Stay, after_exit, settled_after_s
from stacker.stack.model.life import RestartPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    settled: bool
    """Every container is as wanted; with ``failures``: nothing better is to be expected."""
    failures: tuple[str, ...] = ()
    """One line for each container that did not become what was declared, and never will."""


UP_AFTER_S = 0.1
"""A process without a health check that has run this long was started well: what is wrong with a
command line shows sooner."""


def settle(
    desired: Desired, observed: Observed, plan: Plan, *, healthy: bool, now: float
) -> Verdict:
    """Look at each declared container: does it run, or has it ended with 0?

    ``healthy``: a container that has a health check must pass it as well, and one in back-off is
    neither settled nor failed: its attempts decide. Otherwise it has been started, and the restarts
    go on without anybody who waits.
    """
    found = {c.name: c for c in observed.containers}
    waiting = False
    failures = [f"{service}: {reason}" for service, reason in plan.problems]

    for service in sorted(desired.stack.services):
        if service in desired.stopped:
            continue
        for index in range(1, desired.replicas(service) + 1):
            container = found.get(container_name(desired.stack, service, index))
            outcome = _outcome(desired, service, container, healthy=healthy, now=now)
            if isinstance(outcome, str):
                failures.append(outcome)
            waiting = waiting or outcome is False

    busy = bool(plan.ready)
    if failures and not busy:
        return Verdict(settled=True, failures=tuple(failures))
    return Verdict(settled=not waiting and not busy)


def _outcome(
    desired: Desired,
    service: str,
    container: ObservedContainer | None,
    *,
    healthy: bool,
    now: float,
) -> bool | str:
    """True: as declared. False: not yet. A text: it failed, and this is how."""
    if container is None:
        return False
    policy = desired.stack.services[service].restart

    if container.status is Status.RUNNING:
        if healthy and container.health is Health.UNHEALTHY and policy.condition == "no":
            return f"{container.name} is unhealthy: {container.health_detail or 'no output'}"
        if not healthy or container.health is Health.HEALTHY:
            return True
        return container.health is Health.NONE and _stays_up(container, policy, now=now)

    if container.status is not Status.EXITED or container.exit is None:
        return False
    if container.id in desired.rerun:
        return False
    verdict = after_exit(
        policy, container.exit, failures=container.failures, restarts=container.restarts
    )
    match verdict:
        case Stay(end=End.COMPLETED):
            return True
        case Stay(cause=cause):
            return f"{container.name} {cause}"
        case _:
            return not healthy


def _stays_up(container: ObservedContainer, policy: RestartPolicy, *, now: float) -> bool:
    """Has it run long enough? One that has failed before must outlive its back-off's memory."""
    ran_s = now - (container.started_at or now)
    return ran_s >= (settled_after_s(policy) if container.failures else UP_AFTER_S)
