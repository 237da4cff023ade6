"""One function for each kind of operation: what a step of a plan does to the world.

Everything here is idempotent or leaves nothing behind when it fails: a pass that was cut short
is followed by another that observes what it left.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import partial
from typing import assert_never

import anyio

from stacker.base.errors import Failed, StackerError
from stacker.base.id_range import IdRange
from stacker.base.ids import new_id
from stacker.base.signals import signal_number
from stacker.engine import pull_progress
from stacker.engine.contents import Contents
from stacker.engine.prepare import current_container, has_sandbox
from stacker.engine.tools import Tools
from stacker.oci.image import Image
from stacker.plan.categories import choose_level
from stacker.plan.desired import Desired, namespace_parents
from stacker.plan.health import check_of
from stacker.plan.id_ranges import choose_range
from stacker.plan.observed import Health
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
from stacker.plan.records import ContainerRecord
from stacker.plan.restart import settled_after_s
from stacker.stack.model.service import Service
from stacker.stack.model.values import own_ids


class Performer:
    """Carries out operations for one stack."""

    def __init__(self, tools: Tools, name: str) -> None:
        self._tools = tools
        self._name = name
        self.desired: Desired | None = None
        """What the current pass works towards; None while the stack goes down."""
        self.grace_s: float | None = None
        """Overrides every service's ``stop_grace_period`` (``stop -t``)."""

    async def __call__(self, operation: AnyOperation) -> None:
        tools = self._tools
        match operation:
            case PullImage():
                await self._pull(operation)
            case CreateNetwork(spec=spec) | RepairNetwork(spec=spec):
                await tools.networks.ensure(spec)
            case RemoveNetwork(name=name):
                await tools.networks.remove(name)
            case CreateVolume(key=key):
                stack = self._declared.stack
                await tools.volumes.ensure(stack.volumes[key], stack=stack.name, key=key)
            case RemoveVolume(name=name):
                await tools.volumes.remove(name)
            case CreateContainer():
                async with tools.limiter:
                    await self._create(operation)
            case StartContainer():
                async with tools.limiter:
                    await self._start(operation)
            case StopContainer():
                await self._stop(operation)
            case RemoveContainer(id=container_id):
                await self._remove(container_id)
            case RepairContainer(id=container_id):
                await self._repair(container_id)
            case _:
                assert_never(operation)

    @property
    def _declared(self) -> Desired:
        if self.desired is None:
            raise Failed(f"stack {self._name} is going down")
        return self.desired

    async def _pull(self, operation: PullImage) -> None:
        image = await self._tools.images.ensure(
            operation.reference,
            policy=operation.policy,
            platform=operation.platform,
            stack=self._name,
            progress=partial(pull_progress.tell, self._tools.bus, stack=self._name),
        )
        self._tools.bus.emit(
            "image.pulled",
            f"image {operation.reference} is here",
            stack=self._name,
            reference=operation.reference,
            image=image.reference,
            id=image.id,
        )

    async def _image(self, service: Service) -> Image:
        image = await self._tools.images.find(service.image, platform=service.platform)
        if image is None:
            raise Failed(f"image {service.image} is not here")
        return image

    async def _create(self, operation: CreateContainer) -> None:
        tools, stack = self._tools, self._declared.stack
        service = stack.services[operation.service]
        image = await self._image(service)
        siblings = tools.records.of_stack(self._name)
        shared = _shared_with(service.network_mode)
        record = ContainerRecord(
            id=new_id(),
            name=operation.name,
            stack=self._name,
            service=operation.service,
            index=operation.index,
            fingerprint=operation.fingerprint,
            image=service.image,
            image_id=image.id,
            boot_id=tools.boot_id,
            created_at=tools.now(),
            layers=tuple(layer.path for layer in image.layers),
            stop_signal=_stop_signal(service, image),
            stop_grace_s=service.stop_grace_period,
            settled_s=settled_after_s(service.restart),
            joined=frozenset(
                current_container(stack, parent, siblings) for parent in namespace_parents(service)
            ),
            shared_sandbox=current_container(stack, shared, siblings) if shared else None,
        )
        record = replace(
            record,
            selinux_level=self._selinux_level(record),
            ids=self._ids(record, own_ids(service.userns_mode)),
        )
        tools.records.add(record)
        try:
            await tools.launcher.prepare(stack, record, image, Contents(tools.volumes, stack))
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(record)
            raise

    def _selinux_level(self, record: ContainerRecord) -> str | None:
        """A pair of its own, or that of the container whose namespaces it shares."""
        tools = self._tools
        if tools.selinux_levels is None:
            return None
        for parent in sorted(record.joined):
            if (other := tools.records.get(parent)) is not None:
                return other.selinux_level
        kept = {other.selinux_level for other in tools.records.all() if other.selinux_level}
        return choose_level(record.id, tools.selinux_levels() | kept)

    def _ids(self, record: ContainerRecord, size: int | None) -> IdRange | None:
        """A range of its own, or that of the container whose namespaces it shares."""
        tools = self._tools
        if size is None:
            return None
        for parent in sorted(record.joined):
            if (other := tools.records.get(parent)) is not None:
                return other.ids
        kept = {other.ids for other in tools.records.all() if other.ids is not None}
        return choose_range(
            record.id, size, within=tools.ids_to_give(), taken=tools.ids_in_use() | kept
        )

    async def _start(self, operation: StartContainer) -> None:
        tools, stack = self._tools, self._declared.stack
        record = next(
            (r for r in tools.records.of_stack(self._name) if r.name == operation.name), None
        )
        if record is None:
            raise Failed(f"container {operation.name} is not there any more")

        service = stack.services[operation.service]
        image = await self._image_of(record, service)
        parents = {
            parent: tools.records.get(current_container(stack, parent, tools.records.all()))
            for parent in namespace_parents(service)
        }
        try:
            started = await tools.launcher.launch(
                stack, record, image, Contents(tools.volumes, stack), parents=parents
            )
        except StackerError:
            tools.launcher.forget(record.id)  # whatever is amiss is made again the next time
            self._note_failed_start(record, restart=operation.restart)
            raise

        check = check_of(service.healthcheck, image.config.healthcheck)
        tools.records.update(
            record.id,
            lambda r: replace(
                r,
                health=Health.STARTING if check is not None else Health.NONE,
                health_detail="",
                pid=started.pid,
                start_time=started.start_time,
                started_at=tools.now(),
                boot_id=tools.boot_id,
                exit=None,
                stopped_by_user=False,
                stop_signal=_stop_signal(service, image),
                stop_grace_s=service.stop_grace_period,
                settled_s=settled_after_s(service.restart),
                restarts=r.restarts + 1 if operation.restart else 0,
                failures=r.failures if operation.restart else 0,
            ),
        )
        tools.bus.emit(
            "container.start",
            f"{record.name} runs",
            stack=self._name,
            service=record.service,
            container=record.name,
            id=record.id,
            pid=started.pid,
        )

    def _note_failed_start(self, record: ContainerRecord, *, restart: bool) -> None:
        if restart:
            self._tools.records.update(
                record.id,
                lambda r: replace(
                    r,
                    restarts=r.restarts + 1,
                    failures=r.failures + 1,
                    exit=replace(r.exit, at=self._tools.now()) if r.exit else None,
                ),
            )

    async def _image_of(self, record: ContainerRecord, service: Service) -> Image:
        """Return the image that the container was made from, even when the tag has moved on."""
        image = await self._tools.images.find(record.image_id)
        return image or await self._image(service)

    async def _stop(self, operation: StopContainer) -> None:
        tools = self._tools
        record = tools.records.get(operation.id)
        if record is None:
            return
        if operation.by_user:
            tools.records.update(record.id, lambda r: replace(r, stopped_by_user=True))
        grace_s = record.stop_grace_s if self.grace_s is None else self.grace_s

        if grace_s > 0:
            await tools.containers.signal(record.id, record.stop_signal)
            with anyio.move_on_after(grace_s):
                tools.ended(record.id, await tools.containers.wait(record.id))
                return
        await tools.containers.signal(record.id, signal.SIGKILL, all=True)
        with anyio.move_on_after(10):
            tools.ended(record.id, await tools.containers.wait(record.id))
            return
        raise Failed(f"container {record.name} does not end, not even by SIGKILL")

    async def _remove(self, container_id: str) -> None:
        record = self._tools.records.get(container_id)
        if record is not None:
            await self._discard(record)

    async def _discard(self, record: ContainerRecord) -> None:
        tools = self._tools
        await tools.containers.delete(record.id)
        await tools.preparer.release(record)
        tools.launcher.forget(record.id)
        await tools.records.remove(record.id)
        tools.bus.emit(
            "container.remove",
            f"{record.name} is gone",
            stack=self._name,
            service=record.service,
            container=record.name,
            id=record.id,
        )

    async def _repair(self, container_id: str) -> None:
        tools = self._tools
        record = tools.records.get(container_id)
        if record is None:
            return
        stack = self._declared.stack
        image = await self._image_of(record, stack.services[record.service])
        tools.launcher.forget(record.id)
        if record.pid is not None and has_sandbox(stack.services[record.service]):
            # a new namespace would be one that its process is not in
            await tools.networks.pin_again(record.id, record.pid)
        await tools.launcher.prepare(stack, record, image, Contents(tools.volumes, stack))
        tools.bus.emit(
            "network.repaired",
            f"{record.name} has its network back",
            stack=self._name,
            service=record.service,
            container=record.name,
        )


def _shared_with(network_mode: str | None) -> str | None:
    if network_mode is None or not network_mode.startswith("service:"):
        return None
    return network_mode.removeprefix("service:")


def _stop_signal(service: Service, image: Image) -> int:
    """``SIGTERM``, ``TERM``, ``15``: the stack file's first, then the image's."""
    return signal_number(service.stop_signal or image.config.stop_signal or "SIGTERM")
