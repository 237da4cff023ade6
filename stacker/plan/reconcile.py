"""Desired + observed + now → the plan.

The order of the phases is the order of the file: images, then what has to go, then networks and
volumes, then what has to come. A step only ever needs steps of earlier phases, or of services
that start before its own, so a plan has no cycles.

Called by the engine on each pass, and by ``stacker plan``; knows nothing of how steps are done.
"""

from __future__ import annotations

from stacker.plan import conditions
from stacker.plan.decide import (
    Create,
    Keep,
    Remove,
    Repair,
    Replace,
    Replica,
    Restart,
    Start,
    Stop,
    decide,
)
from stacker.plan.desired import (
    Desired,
    named_volumes,
    namespace_parents,
    used_networks,
    used_volumes,
)
from stacker.plan.fingerprint import network_spec, service_fingerprint
from stacker.plan.observed import Observed, Status
from stacker.plan.operations import (
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    RepairContainer,
    RepairNetwork,
    StartContainer,
    StopContainer,
)
from stacker.plan.ordering import dependents, start_order
from stacker.plan.plan import Await, Plan, PlanBuilder


def reconcile(desired: Desired, observed: Observed, *, now: float) -> Plan:
    """Plan one pass. An empty plan means: what is declared is true."""
    return _Reconciliation(desired, observed, now=now).plan()


class _Reconciliation:
    """The phases of one pass, and the step numbers that later phases refer to."""

    def __init__(self, desired: Desired, observed: Observed, *, now: float) -> None:
        self._desired = desired
        self._observed = observed
        self._now = now
        self._replicas = decide(desired, observed, now=now)
        self._builder = PlanBuilder()
        self._problems: list[tuple[str, str]] = []
        self._pulls: dict[str, int] = {}
        self._stops: dict[str, int] = {}
        self._removes: dict[str, int] = {}
        self._networks: dict[str, int] = {}
        self._volumes: dict[str, int] = {}
        self._creates: dict[str, list[int]] = {}
        self._starts: dict[str, list[int]] = {}
        self._renewed: set[str] = set()
        """Services of which a container is made anew or restarted by hand in this plan."""

    def plan(self) -> Plan:
        self._pull_images()
        self._stop_containers()
        self._remove_containers()
        self._renew_networks()
        self._make_volumes()
        for service in start_order(self._desired.stack):
            for replica in self._replicas:
                if replica.service == service:
                    self._bring_up(replica)

        back_offs = tuple(
            (replica.name, replica.decision.wake_at)
            for replica in self._replicas
            if isinstance(replica.decision, Keep) and replica.decision.wake_at is not None
        )
        notes = tuple(
            (replica.name, replica.decision.note)
            for replica in self._replicas
            if isinstance(replica.decision, Keep) and replica.decision.note
        )
        return Plan(
            steps=self._builder.steps(),
            wake_at=min((at for _, at in back_offs), default=None),
            notes=notes,
            back_offs=back_offs,
            problems=tuple(self._problems),
        )

    def _pull_images(self) -> None:
        for replica in self._replicas:
            if replica.service not in self._desired.stack.services:
                continue

            service = self._desired.stack.services[replica.service]
            due = self._due(service.image)
            makes = isinstance(replica.decision, Create | Replace)
            present = service.image in self._observed.images
            if service.image in self._pulls or not (due or (makes and not present)):
                continue

            offline = service.image in self._desired.offline
            self._pulls[service.image] = self._builder.add(
                PullImage(
                    cause=due or "not there",
                    reference=service.image,
                    platform=service.platform,
                    policy="always" if due else "never" if offline else "missing",
                )
            )

    def _due(self, image: str) -> str | None:
        """Why the registry is asked for an image, though it may be here."""
        if image in self._desired.refresh:
            return "asked for"
        policy = self._desired.policies.get(image)
        found = self._observed.images.get(image)
        if policy is None or found is None:
            return None
        return policy.due(found.asked_at, now=self._now)

    def _pull_of(self, service: str) -> tuple[int, ...]:
        declared = self._desired.stack.services.get(service)
        number = self._pulls.get(declared.image) if declared else None
        return (number,) if number is not None else ()

    def _stop_containers(self) -> None:
        """Dependents first; and nothing stops before the image of its successor is here."""
        waiting_on = dependents(self._desired.stack)
        for service in self._stop_order():
            before = tuple(
                number
                for dependent in waiting_on.get(service, ())
                for replica in self._replicas
                if replica.service == dependent and replica.name in self._stops
                for number in (self._stops[replica.name],)
            )
            for replica in self._replicas:
                if replica.service == service:
                    self._stop(replica, before=before)

    def _stop_order(self) -> tuple[str, ...]:
        declared = self._desired.stack.services
        orphans = sorted({r.service for r in self._replicas if r.service not in declared})
        return (*orphans, *reversed(start_order(self._desired.stack)))

    def _stop(self, replica: Replica, *, before: tuple[int, ...]) -> None:
        decision = replica.decision
        if not isinstance(decision, Stop | Replace | Remove | Restart):
            return
        if decision.old.status not in (Status.RUNNING, Status.PAUSED):
            return

        needs = self._pull_of(replica.service) if isinstance(decision, Replace) else ()
        self._stops[replica.name] = self._builder.add(
            StopContainer(
                cause=decision.cause,
                id=decision.old.id,
                name=decision.old.name,
                service=replica.service,
                by_user=isinstance(decision, Stop),
            ),
            needs=(*needs, *before),
        )

    def _remove_containers(self) -> None:
        for replica in self._replicas:
            decision = replica.decision
            if not isinstance(decision, Replace | Remove):
                continue
            stop = self._stops.get(replica.name)
            needs = (stop,) if stop is not None else self._pull_of(replica.service)
            self._removes[replica.name] = self._builder.add(
                RemoveContainer(
                    cause=decision.cause,
                    id=decision.old.id,
                    name=decision.old.name,
                    service=replica.service,
                ),
                needs=needs,
            )

    def _renew_networks(self) -> None:
        stack = self._desired.stack
        wanted = {stack.networks[key].name: key for key in used_networks(stack)}
        found = {network.name: network for network in self._observed.networks}
        all_removes = tuple(self._removes.values())

        for name in sorted(found.keys() - wanted.keys()):
            self._builder.add(
                RemoveNetwork(cause="no service uses it", name=name), needs=all_removes
            )
        for name in sorted(wanted):
            spec = network_spec(stack, wanted[name])
            network = found.get(name)
            if network is None:
                number = self._builder.add(CreateNetwork(cause="not there", spec=spec))
            elif network.fingerprint != spec.fingerprint and not spec.external:
                removed = self._builder.add(
                    RemoveNetwork(cause="its declaration changed", name=name), needs=all_removes
                )
                number = self._builder.add(
                    CreateNetwork(cause="its declaration changed", spec=spec), needs=(removed,)
                )
            elif network.problem:
                number = self._builder.add(RepairNetwork(cause=network.problem, spec=spec))
            else:
                continue
            self._networks[wanted[name]] = number

    def _make_volumes(self) -> None:
        found = {volume.name for volume in self._observed.volumes}
        for key in used_volumes(self._desired.stack):
            name = self._desired.stack.volumes[key].name
            if name not in found:
                self._volumes[key] = self._builder.add(
                    CreateVolume(cause="not there", key=key, name=name)
                )

    def _bring_up(self, replica: Replica) -> None:
        match replica.decision:
            case Create(cause=cause, start=start) | Replace(cause=cause, start=start):
                created = self._create(replica, cause)
                if start:
                    self._start(replica, cause, needs=(created,))
            case Start(cause=cause, automatic=automatic):
                self._start(replica, cause, needs=self._network_steps(replica), again=automatic)
            case Restart(cause=cause, automatic=automatic):
                self._start(
                    replica, cause, needs=(self._stops[replica.name],), again=automatic, waits=False
                )
            case Repair(old=old, cause=cause):
                self._builder.add(
                    RepairContainer(cause=cause, id=old.id, name=old.name, service=replica.service),
                    needs=self._network_steps(replica),
                )
            case Keep():
                self._follow_dependency(replica)
            case Stop() | Remove():
                pass

    def _create(self, replica: Replica, cause: str) -> int:
        service = self._desired.stack.services[replica.service]
        removed = self._removes.get(replica.name)
        shared = tuple(
            step for parent in namespace_parents(service) for step in self._creates.get(parent, ())
        )
        number = self._builder.add(
            CreateContainer(
                cause=cause,
                service=replica.service,
                index=replica.index,
                name=replica.name,
                fingerprint=service_fingerprint(
                    self._desired.stack, replica.service, self._observed.contents
                ),
            ),
            needs=(
                *self._pull_of(replica.service),
                *((removed,) if removed is not None else ()),
                *self._network_steps(replica),
                *(
                    self._volumes[key]
                    for key in named_volumes(self._desired.stack, service)
                    if key in self._volumes
                ),
                *shared,
            ),
        )
        self._creates.setdefault(replica.service, []).append(number)
        return number

    def _start(
        self,
        replica: Replica,
        cause: str,
        *,
        needs: tuple[int, ...],
        again: bool = False,
        waits: bool = True,
    ) -> None:
        """Start it when its dependencies allow; an automatic restart waits for nobody."""
        dependencies, awaits = self._dependencies(replica) if waits and not again else ((), ())
        number = self._builder.add(
            StartContainer(
                cause=cause,
                service=replica.service,
                index=replica.index,
                name=replica.name,
                restart=again,
            ),
            needs=(*needs, *dependencies),
            awaits=awaits,
        )
        self._starts.setdefault(replica.service, []).append(number)
        if not again:
            self._renewed.add(replica.service)

    def _dependencies(self, replica: Replica) -> tuple[tuple[int, ...], tuple[Await, ...]]:
        needs: list[int] = []
        awaits: list[Await] = []
        for name, dependency in sorted(
            self._desired.stack.services[replica.service].depends_on.items()
        ):
            if name not in self._desired.stack.services:
                continue

            started_here = self._starts.get(name, [])
            if started_here and dependency.condition == "service_started":
                needs.extend(started_here)
                continue
            if started_here:
                awaits.append(Await(service=name, condition=dependency.condition))
                continue

            match conditions.check(self._desired, self._observed, name, dependency):
                case conditions.Unmet(awaits=condition):
                    awaits.append(condition)
                case conditions.Hopeless(awaits=condition, reason=reason) if dependency.required:
                    awaits.append(condition)
                    self._problems.append((replica.service, f"cannot start: {reason}"))
                case _:
                    pass
        return tuple(needs), tuple(awaits)

    def _follow_dependency(self, replica: Replica) -> None:
        """``depends_on.NAME.restart: true``: restart with what it depends on."""
        container = replica.observed
        service = self._desired.stack.services.get(replica.service)
        if service is None or container is None or container.status is not Status.RUNNING:
            return

        followed = [
            name
            for name, dependency in sorted(service.depends_on.items())
            if dependency.restart and name in self._renewed
        ]
        if not followed:
            return
        cause = f"{followed[0]} is started anew"
        stopped = self._builder.add(
            StopContainer(
                cause=cause, id=container.id, name=container.name, service=replica.service
            )
        )
        self._start(replica, cause, needs=(stopped,))

    def _network_steps(self, replica: Replica) -> tuple[int, ...]:
        service = self._desired.stack.services[replica.service]
        return tuple(self._networks[key] for key in service.networks if key in self._networks)
