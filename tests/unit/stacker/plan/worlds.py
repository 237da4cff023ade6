"""Stacks and snapshots for the planner's tests, in as few words as possible."""

from __future__ import annotations

from dataclasses import replace

from stacker.plan.desired import Desired, container_name, used_networks, used_volumes
from stacker.plan.fingerprint import network_spec, service_fingerprint
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
from stacker.stack.model.stack import Stack

NOW = 1_000_000.0


def stack(services: dict[str, dict[str, object]], **more: object) -> Stack:
    """A stack ``shop``; every service runs the image ``app:1`` unless it says otherwise."""
    return Stack.model_validate(
        {
            "name": "shop",
            "services": {name: {"image": "app:1", **keys} for name, keys in services.items()},
            **more,
        }
    )


def desired(declared: Stack, **more: object) -> Desired:
    return replace(Desired(stack=declared), **more)  # pyright: ignore[reportArgumentType]


def container(declared: Stack, service: str, index: int = 1, **more: object) -> ObservedContainer:
    """A container made from what is declared, running."""
    made = ObservedContainer(
        id=f"id-{service}-{index}",
        name=container_name(declared, service, index),
        stack=declared.name,
        service=service,
        index=index,
        fingerprint=service_fingerprint(declared, service, {}),
        image_id=f"sha256:{declared.services[service].image}",
        status=Status.RUNNING,
        pid=100 + index,
        started_at=NOW - 60,
    )
    return replace(made, **more)  # pyright: ignore[reportArgumentType]


def exited(declared: Stack, service: str, code: int | None, **more: object) -> ObservedContainer:
    ended = {"status": Status.EXITED, "pid": None, "exit": Exit(code=code, at=NOW - 10)}
    return container(declared, service, **{**ended, **more})


def world(declared: Stack, *containers: ObservedContainer, **more: object) -> Observed:
    """Everything but the containers is there and whole."""
    specs = [network_spec(declared, key) for key in used_networks(declared)]
    seen = Observed(
        containers=containers,
        networks=tuple(
            ObservedNetwork(
                name=spec.name,
                stack=declared.name,
                key=spec.key,
                fingerprint=spec.fingerprint,
                bridge="sk0",
                subnet="10.89.0.0/24",
                gateway="10.89.0.1",
            )
            for spec in specs
        ),
        volumes=tuple(
            ObservedVolume(name=declared.volumes[key].name, stack=declared.name, key=key)
            for key in used_volumes(declared)
        ),
        images={
            service.image: ObservedImage(reference=service.image, id=f"sha256:{service.image}")
            for service in declared.services.values()
        },
    )
    return replace(seen, **more)  # pyright: ignore[reportArgumentType]


def full(declared: Stack, **more: object) -> Observed:
    """Everything runs as declared."""
    return world(
        declared,
        *(
            container(declared, service, index, health=Health.NONE)
            for service in sorted(declared.services)
            for index in range(1, declared.services[service].deploy.replicas + 1)
        ),
        **more,
    )
