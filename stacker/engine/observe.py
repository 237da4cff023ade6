"""Drivers → what the planner sees: one snapshot of one stack."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from stacker.engine.containers import missed_exits, observed
from stacker.engine.tools import Tools
from stacker.plan.desired import Desired, used_networks
from stacker.plan.observed import Observed, ObservedContainer, ObservedImage, Status
from stacker.stack.model.stack import Stack


async def observe(
    tools: Tools, name: str, desired: Desired | None, contents: dict[str, str]
) -> Observed:
    """Look at everything that belongs to a stack, and at what it declares that is another's."""
    stack = desired.stack if desired is not None else None
    used = [stack.networks[key] for key in used_networks(stack)] if stack else []
    networks = {network.name for network in used if network.external}
    volumes = {volume.name for volume in stack.volumes.values()} if stack else set[str]()
    return Observed(
        containers=tuple(
            replace(c, problem="nothing is known of its network") if _lost(c, stack) else c
            for c in (await observe_containers(tools, (name,)))[name]
        ),
        networks=tuple(
            n if n.stack == name else replace(n, problem=None)  # its own stack repairs it
            for n in await tools.networks.observe()
            if n.stack == name or n.name in networks
        ),
        volumes=tuple(
            v for v in await tools.volumes.observe() if v.stack == name or v.name in volumes
        ),
        images=await _images(tools, desired),
        contents=contents,
    )


def _lost(container: ObservedContainer, stack: Stack | None) -> bool:
    """Whether a running container ought to be on a network, and no state file knows of it."""
    service = stack.services.get(container.service) if stack is not None else None
    return (
        service is not None
        and container.status is Status.RUNNING
        and bool(service.networks)
        and not container.endpoints
    )


async def observe_containers(
    tools: Tools, names: Collection[str]
) -> dict[str, tuple[ObservedContainer, ...]]:
    """Look at the containers of some stacks, by stack; the kernel is asked once for all."""
    processes = await tools.containers.observe()
    for name in names:
        for record, process in missed_exits(tools.records.of_stack(name), processes):
            tools.ended(record.id, process)

    sandboxes = {sandbox.container_id: sandbox for sandbox in await tools.networks.sandboxes()}
    return {
        name: tuple(
            observed(record, processes.get(record.id), sandboxes.get(record.id))
            for record in tools.records.of_stack(name)
        )
        for name in names
    }


async def _images(tools: Tools, desired: Desired | None) -> dict[str, ObservedImage]:
    found: dict[str, ObservedImage] = {}
    services = desired.stack.services.values() if desired is not None else ()
    for reference, platform in {(s.image, s.platform) for s in services}:
        image = await tools.images.find(reference, platform=platform)
        if image is not None:
            timed = desired is not None and reference in desired.policies
            asked_at = await tools.images.shelf.asked_at(reference) if timed else None
            found[reference] = ObservedImage(reference=reference, id=image.id, asked_at=asked_at)
    return found
