"""What one container needs, seen alone: the first half of reconciling.

Rule 1: a decision looks at one replica: what is wanted of it, and what was observed of it.
Rule 2: what it has to wait for, and in which order things are done, is plan.reconcile's matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from signal import SIGKILL

from stacker.plan.desired import Desired, container_name, mortal_namespaces, namespace_parents
from stacker.plan.fingerprint import changed_keys, service_fingerprint
from stacker.plan.observed import Exit, Health, Observed, ObservedContainer, Status
from stacker.plan.restart import Again, Stay, after_exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Nothing is to be done now."""

    note: str = ""
    """What there is to say of a container that is left alone, beside its exit status."""
    wake_at: float | None = None
    """When its back-off ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """There is none: make it, and start it unless its service is stopped."""

    cause: str
    start: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """It differs from what is declared: remove it and make it anew."""

    old: ObservedContainer
    cause: str
    start: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    cause: str
    automatic: bool = False
    """The restart policy's doing: it counts against the attempts, and waits for nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """It runs, and has to be stopped and started."""

    old: ObservedContainer
    cause: str
    automatic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    old: ObservedContainer
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """It is not declared: a service or a replica fewer."""

    old: ObservedContainer
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    old: ObservedContainer
    cause: str


Decision = Keep | Create | Replace | Start | Restart | Stop | Remove | Repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One container, wanted or found, and what is to become of it."""

    service: str
    index: int
    name: str
    decision: Decision
    observed: ObservedContainer | None = None


def decide(desired: Desired, observed: Observed, *, now: float) -> tuple[Replica, ...]:
    """Decide for every declared replica, and for every container that is not declared."""
    by_place = {(c.service, c.index): c for c in observed.containers}
    replicas: list[Replica] = []

    for service in sorted(desired.stack.services):
        fingerprint = service_fingerprint(desired.stack, service, observed.contents)
        for index in range(1, desired.replicas(service) + 1):
            container = by_place.pop((service, index), None)
            replicas.append(
                Replica(
                    service=service,
                    index=index,
                    name=container_name(desired.stack, service, index),
                    decision=_decide_one(
                        desired, observed, service, container, fingerprint=fingerprint, now=now
                    ),
                    observed=container,
                )
            )

    for (service, index), container in sorted(by_place.items()):
        declared = service in desired.stack.services
        cause = "more replicas than declared" if declared else "service is not declared"
        replicas.append(
            Replica(
                service=service,
                index=index,
                name=container.name,
                decision=Remove(old=container, cause=cause),
                observed=container,
            )
        )
    return tuple(replicas)


def _decide_one(
    desired: Desired,
    observed: Observed,
    service: str,
    container: ObservedContainer | None,
    *,
    fingerprint: str,
    now: float,
) -> Decision:
    wanted_up = service not in desired.stopped
    if container is None:
        return Create(cause="not there", start=wanted_up)

    if cause := _replace_cause(desired, observed, service, container, fingerprint=fingerprint):
        return Replace(old=container, cause=cause, start=wanted_up)

    if not wanted_up:
        if container.status in (Status.RUNNING, Status.PAUSED):
            return Stop(old=container, cause="stopped by the user")
        return Keep(note="stopped by the user")

    owners = _owners(desired, observed, service)
    if container.status in (Status.RUNNING, Status.PAUSED):
        return _decide_running(desired, service, container, owners)
    return _decide_not_running(desired, service, container, owners, now=now)


def _owners(desired: Desired, observed: Observed, service: str) -> dict[str, ObservedContainer]:
    """Return the containers whose pid or ipc namespace a service shares, by the kind of it."""
    first = {c.service: c for c in observed.containers if c.index == 1}
    shared = mortal_namespaces(desired.stack.services[service])
    return {kind: first[owner] for kind, owner in shared.items() if owner in first}


def _replace_cause(
    desired: Desired,
    observed: Observed,
    service: str,
    container: ObservedContainer,
    *,
    fingerprint: str,
) -> str | None:
    if container.fingerprint != fingerprint:
        return _what_changed(desired, observed, service, container)
    if container.id in desired.recreate:
        return "asked for"

    reference = desired.stack.services[service].image
    image = observed.images.get(reference)
    if image is not None and image.id != container.image_id:
        return f"image {reference} changed"

    declared = namespace_parents(desired.stack.services[service])
    current = {c.id for c in observed.containers if c.service in declared}
    if not current.issuperset(container.joined):
        return "the container whose namespace it shares is another one"
    return None


def _what_changed(
    desired: Desired, observed: Observed, service: str, container: ObservedContainer
) -> str:
    keys = (
        changed_keys(
            desired.before, container.fingerprint, desired.stack, service, observed.contents
        )
        if desired.before is not None
        else ()
    )
    return f"its declaration changed: {', '.join(keys)}" if keys else "its declaration changed"


def _decide_running(
    desired: Desired,
    service: str,
    container: ObservedContainer,
    owners: dict[str, ObservedContainer],
) -> Decision:
    if container.id in desired.restart:
        return Restart(old=container, cause="asked for")

    policy = desired.stack.services[service].restart
    if container.health is Health.UNHEALTHY and policy.condition != "no":
        detail = f": {container.health_detail}" if container.health_detail else ""
        return Restart(old=container, cause=f"unhealthy{detail}", automatic=True)

    for kind, owner in owners.items():
        if owner.start_time and container.start_time and owner.start_time > container.start_time:
            return Restart(old=container, cause=_begun_anew(kind, owner))

    if container.problem:
        return Repair(old=container, cause=container.problem)
    return Keep()


def _begun_anew(kind: str, owner: ObservedContainer) -> str:
    return f"{owner.service}, whose {kind} namespace it shares, was started anew"


def _decide_not_running(
    desired: Desired,
    service: str,
    container: ObservedContainer,
    owners: dict[str, ObservedContainer],
    *,
    now: float,
) -> Decision:
    if container.id in desired.rerun or container.id in desired.restart:
        return Start(cause="asked for")
    if container.status is Status.CREATED or container.exit is None:
        return Start(cause="not started")

    if container.stopped_by_user:
        return Start(cause="asked for")

    if (owner := owners.get("pid")) is not None and _ended_with(container.exit, owner):
        return Start(cause=_begun_anew("pid", owner))

    verdict = after_exit(
        desired.stack.services[service].restart,
        container.exit,
        failures=container.failures,
        restarts=container.restarts,
    )
    match verdict:
        case Stay(note=note):
            return Keep(note=note)
        case Again(note=note) if any(o.status is not Status.RUNNING for o in owners.values()):
            return Keep(note=f"{note}, when it can share a namespace again")
        case Again(at=at, cause=cause) if at <= now:
            return Start(cause=cause, automatic=True)
        case Again(at=at, note=note):
            return Keep(note=note, wake_at=at)


def _ended_with(exit: Exit, owner: ObservedContainer) -> bool:
    """Whether the kernel has killed it because its pid namespace ended (pid_namespaces(7))."""
    killed = exit.signal == SIGKILL and not exit.oom
    return killed and owner.started_at is not None and exit.at <= owner.started_at
