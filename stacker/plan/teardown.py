"""``down``: what takes a stack away, in the reverse of the order in which it came.

Works from what was observed, so that a stack whose file is gone can still be taken down; the
declared stack, where there is one, only gives the order.
"""

from __future__ import annotations

from stacker.plan.observed import Observed, Status
from stacker.plan.operations import (
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StopContainer,
)
from stacker.plan.ordering import start_order
from stacker.plan.plan import Plan, PlanBuilder
from stacker.stack.model.stack import Stack

CAUSE = "the stack goes down"


def teardown(stack: Stack | None, observed: Observed, *, volumes: bool) -> Plan:
    """Plan the end of a stack; ``volumes``: its named volumes and their data go too."""
    builder = PlanBuilder()
    order = start_order(stack) if stack else ()
    rank = {service: number for number, service in enumerate(order)}
    containers = sorted(
        observed.containers, key=lambda c: (-rank.get(c.service, len(rank)), c.service, -c.index)
    )

    stops: dict[str, list[int]] = {}
    removes: list[int] = []
    for container in containers:
        needs: tuple[int, ...] = ()
        if container.status in (Status.RUNNING, Status.PAUSED):
            dependents = tuple(
                number
                for name, numbers in stops.items()
                if stack
                and name in stack.services
                and container.service in stack.services[name].depends_on
                for number in numbers
            )
            stop = builder.add(
                StopContainer(
                    cause=CAUSE, id=container.id, name=container.name, service=container.service
                ),
                needs=dependents,
            )
            stops.setdefault(container.service, []).append(stop)
            needs = (stop,)
        removes.append(
            builder.add(
                RemoveContainer(
                    cause=CAUSE, id=container.id, name=container.name, service=container.service
                ),
                needs=needs,
            )
        )

    for network in sorted(observed.networks, key=lambda n: n.name):
        builder.add(RemoveNetwork(cause=CAUSE, name=network.name), needs=tuple(removes))
    if volumes:
        for volume in sorted(observed.volumes, key=lambda v: v.name):
            builder.add(RemoveVolume(cause="asked for", name=volume.name), needs=tuple(removes))
    return Plan(steps=builder.steps())
