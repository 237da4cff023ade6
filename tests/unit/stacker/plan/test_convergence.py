"""Laws of the planner: whatever is declared and whatever is found, passes end in what is declared.

The world is simulated by carrying out each ready step on the snapshot; some steps fail at random.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from stacker.plan.desired import Desired
from stacker.plan.observed import (
    Exit,
    Health,
    Observed,
    ObservedContainer,
    ObservedImage,
    ObservedNetwork,
    ObservedVolume,
    Status,
)
from stacker.plan.operations import (
    AnyOperation,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    RepairContainer,
    RepairNetwork,
    StartContainer,
    StopContainer,
)
from stacker.plan.plan import Plan
from stacker.plan.reconcile import reconcile
from stacker.plan.teardown import teardown
from stacker.plan.verdict import settle
from stacker.stack.model.stack import Stack

from .worlds import NOW, full, stack

NAMES = ("a", "b", "c", "d")


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """Stacks of up to four services that depend only on services before them."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    services: dict[str, dict[str, object]] = {}
    for number, name in enumerate(names):
        earlier = draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        services[name] = {
            "image": draw(st.sampled_from(["app:1", "app:2"])),
            "deploy": {"replicas": draw(st.integers(0, 3))},
            "restart": {"condition": draw(st.sampled_from(["no", "always", "on-failure"]))},
            "networks": {key: {} for key in draw(st.sets(st.sampled_from(["front", "back"])))},
            "volumes": [{"type": "volume", "source": "data", "target": "/data"}]
            if draw(st.booleans())
            else [],
            "labels": {"v": draw(st.sampled_from("12"))},
            "depends_on": {
                other: {
                    "condition": draw(st.sampled_from(["service_started", "service_healthy"])),
                    "restart": draw(st.booleans()),
                }
                for other in earlier
            },
        }
    return stack(
        services,
        networks={
            "front": {"name": "shop_front", "internal": draw(st.booleans())},
            "back": {"name": "shop_back"},
        },
        volumes={"data": {"name": "shop_data"}},
    )


class World:
    """A snapshot that operations are carried out on."""

    def __init__(self, seen: Observed) -> None:
        self.seen = seen
        self.made = 0

    def do(self, operation: AnyOperation, declared: Stack) -> None:
        seen = self.seen
        match operation:
            case PullImage(reference=reference):
                image = ObservedImage(reference=reference, id=f"sha256:{reference}")
                self.seen = replace(seen, images={**seen.images, reference: image})
            case CreateNetwork(spec=spec) | RepairNetwork(spec=spec):
                network = ObservedNetwork(
                    name=spec.name,
                    stack=spec.stack,
                    key=spec.key,
                    fingerprint=spec.fingerprint,
                    bridge="b",
                    subnet="s",
                    gateway="g",
                )
                rest = tuple(n for n in seen.networks if n.name != spec.name)
                self.seen = replace(seen, networks=(*rest, network))
            case RemoveNetwork(name=name):
                rest = tuple(n for n in seen.networks if n.name != name)
                self.seen = replace(seen, networks=rest)
            case CreateVolume(key=key, name=name):
                volume = ObservedVolume(name=name, stack=declared.name, key=key)
                self.seen = replace(seen, volumes=(*seen.volumes, volume))
            case RemoveVolume(name=name):
                rest = tuple(v for v in seen.volumes if v.name != name)
                self.seen = replace(seen, volumes=rest)
            case CreateContainer():
                assert all(c.name != operation.name for c in seen.containers), "two of one name"
                self.made += 1
                image = declared.services[operation.service].image
                made = ObservedContainer(
                    id=f"new-{self.made}",
                    name=operation.name,
                    stack=declared.name,
                    service=operation.service,
                    index=operation.index,
                    fingerprint=operation.fingerprint,
                    image_id=seen.images[image].id,
                    status=Status.CREATED,
                )
                self.seen = replace(seen, containers=(*seen.containers, made))
            case StartContainer(name=name):
                self._change(
                    name, status=Status.RUNNING, pid=1, started_at=NOW, health=Health.HEALTHY
                )
            case StopContainer(name=name, by_user=by_user):
                self._change(
                    name,
                    status=Status.EXITED,
                    pid=None,
                    exit=Exit(code=143, at=NOW),
                    stopped_by_user=by_user,
                )
            case RemoveContainer(id=container_id):
                rest = tuple(c for c in seen.containers if c.id != container_id)
                self.seen = replace(seen, containers=rest)
            case RepairContainer(name=name):
                self._change(name, problem=None)

    def _change(self, name: str, **changes: object) -> None:
        assert any(c.name == name for c in self.seen.containers), f"{name} is not there"
        self.seen = replace(
            self.seen,
            containers=tuple(
                replace(c, **changes) if c.name == name else c  # pyright: ignore[reportArgumentType]
                for c in self.seen.containers
            ),
        )


def carry_out(world: World, plan: Plan, declared: Stack, *, broken: frozenset[int]) -> None:
    failed: set[int] = set()
    for step in plan.ready:
        if step.number in broken or not failed.isdisjoint(step.needs):
            failed.add(step.number)
        else:
            world.do(step.operation, declared)


def asked(wanted: Desired) -> Desired:
    """What is wanted once the requests of one pass are fulfilled."""
    none = frozenset[str]()
    return replace(wanted, recreate=none, restart=none, rerun=none, refresh=none)


@settings(max_examples=150, deadline=None)
@given(before=stacks(), after=stacks(), data=st.data())
def test_passes_converge(before: Stack, after: Stack, data: st.DataObject) -> None:
    # whoever is waited for has a check and passes it: a condition that can never hold is a problem
    # that the planner tells, not a state that passes end in
    running = full(before)
    healthy = tuple(replace(c, health=Health.HEALTHY) for c in running.containers)
    world = World(replace(running, containers=healthy) if data.draw(st.booleans()) else Observed())
    ids = [c.id for c in world.seen.containers]
    wanted = Desired(
        stack=after,
        stopped=data.draw(st.frozensets(st.sampled_from(sorted(after.services)))),
        recreate=frozenset(data.draw(st.lists(st.sampled_from(ids)))) if ids else frozenset(),
        restart=frozenset(data.draw(st.lists(st.sampled_from(ids)))) if ids else frozenset(),
    )
    for number in range(20):
        plan = reconcile(wanted, world.seen, now=NOW + 3600 * number)
        if not plan.ready:
            break
        broken = data.draw(st.frozensets(st.integers(1, 6))) if number < 3 else frozenset[int]()
        carry_out(world, plan, after, broken=broken)
        wanted = asked(wanted)
    else:
        raise AssertionError(f"still busy: {plan}")

    have = {(c.service, c.index): c for c in world.seen.containers}
    want = {
        (name, index)
        for name, service in after.services.items()
        for index in range(1, service.deploy.replicas + 1)
    }
    assert have.keys() == want
    for (service, _), container in have.items():
        if service in wanted.stopped:
            assert container.status is not Status.RUNNING
    if not wanted.stopped:
        assert plan.is_empty
        assert settle(wanted, world.seen, plan, healthy=True, now=NOW + 1).settled


@settings(max_examples=100, deadline=None)
@given(declared=stacks(), known=st.booleans(), volumes=st.booleans())
def test_teardown_leaves_nothing(declared: Stack, known: bool, volumes: bool) -> None:
    world = World(full(declared))
    plan = teardown(declared if known else None, world.seen, volumes=volumes)
    carry_out(world, plan, declared, broken=frozenset())
    assert world.seen.containers == ()
    assert world.seen.networks == ()
    assert (world.seen.volumes == ()) or not volumes


@settings(max_examples=100, deadline=None)
@given(declared=stacks())
def test_a_plan_is_a_function_of_its_arguments(declared: Stack) -> None:
    wanted = Desired(stack=declared)
    assert reconcile(wanted, Observed(), now=NOW) == reconcile(wanted, Observed(), now=NOW)
    assert reconcile(wanted, full(declared), now=NOW).is_empty
