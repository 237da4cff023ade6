"""Before a declaration is accepted: fetch and check everything that could make it fail.

Nothing that runs is touched here. What fails here leaves the running stack as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.wire.messages import BUILTIN
from stacker.base.errors import NotFound, StackerError, Unsupported
from stacker.engine.contents import Contents
from stacker.engine.fetch import fetch_all
from stacker.engine.observe import observe
from stacker.engine.perform import Performer
from stacker.engine.prepare import ports
from stacker.engine.tools import Tools
from stacker.plan.desired import Desired
from stacker.plan.observed import Observed
from stacker.plan.operations import (
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    PullImage,
    RemoveContainer,
)
from stacker.plan.plan import Plan
from stacker.plan.reconcile import reconcile
from stacker.stack.model.values import own_ids


async def stage(
    tools: Tools, performer: Performer, desired: Desired, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the digests of the contents; raise what stands in the way, before anything stops."""
    name = desired.stack.name
    contents = await Contents(tools.volumes, desired.stack).digests(environment)
    observed = await observe(tools, name, desired, contents)
    plan = reconcile(desired, observed, now=tools.now())
    await _check_networks(tools, plan)
    _check_volumes(desired, plan)
    await _check_ports(tools, desired, observed, plan)
    await _check_binds(tools, desired)
    await _check_ids(tools, desired)
    await fetch_all(
        performer,
        tuple(step.operation for step in plan.steps if isinstance(step.operation, PullImage)),
    )
    await Contents(tools.volumes, desired.stack).keep(environment)
    return contents


async def _check_networks(tools: Tools, plan: Plan) -> None:
    for step in plan.steps:
        if isinstance(step.operation, CreateNetwork):
            await tools.networks.check_network(step.operation.spec)


def _check_volumes(desired: Desired, plan: Plan) -> None:
    for step in plan.steps:
        if isinstance(step.operation, CreateVolume):
            volume = desired.stack.volumes[step.operation.key]
            if volume.external:
                raise NotFound(f"volume {volume.name} is external and does not exist")


async def _check_ports(tools: Tools, desired: Desired, observed: Observed, plan: Plan) -> None:
    """Ports of containers to be made must be free, but for what their predecessors hold."""
    going = {s.operation.id for s in plan.steps if isinstance(s.operation, RemoveContainer)}
    for step in plan.steps:
        if isinstance(step.operation, CreateContainer):
            service = desired.stack.services[step.operation.service]
            await tools.networks.check_ports(ports(service), besides=going)


async def _check_binds(tools: Tools, desired: Desired) -> None:
    for service in desired.stack.services.values():
        for mount in service.volumes:
            strict = mount.bind is not None and not mount.bind.create_host_path
            if mount.type == "bind" and mount.source is not None and strict:
                await tools.volumes.host_path(mount.source, create=False)


async def _check_ids(tools: Tools, desired: Desired) -> None:
    """Where a service has a user namespace of its own, this host has ids for it, and maps them."""
    for name, service in desired.stack.services.items():
        if own_ids(service.userns_mode) is None:
            continue
        try:
            _check_runtime(service.runtime or tools.default_runtime)
            tools.ids_to_give()
            await tools.check_id_maps()
        except StackerError as error:
            raise type(error)(f"services.{name}.userns_mode: {error.message}") from error


def _check_runtime(word: str) -> None:
    # the others walk to the root file system, as config.json names it, when they are in the user
    # namespace already (seen with crun 1.8 and runc 1.1); ours is handed the mount
    if word != BUILTIN:
        raise Unsupported(
            f"ids of its own a container has by runtime {BUILTIN} only: {word} would look for its "
            "root file system with those ids, to which the directories above it are shut"
        )
