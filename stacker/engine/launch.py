"""From a record to a running process: the bundle is built here and handed to the runtime.

What a container needs is prepared at most once while this supervisor lives; after a restart of
the supervisor, or when something was lost, it is prepared again (``Preparer.prepare`` is
idempotent).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio

from stacker.base.errors import Failed
from stacker.base.facts import HostFacts
from stacker.bundle.inputs import ContainerInputs, DeviceNode, HostMount
from stacker.bundle.spec import build_spec
from stacker.bundle.warnings import warnings_for
from stacker.engine.contents import Contents
from stacker.engine.ports import Containers, Volumes
from stacker.engine.prepare import Prepared, Preparer, level_of
from stacker.oci.image import Image
from stacker.plan.container_specs import Launch, LogOptions, Started
from stacker.plan.records import ContainerRecord
from stacker.stack.model.service import Service
from stacker.stack.model.stack import Stack

LARGEST_PASSWD = 1024 * 1024
"""Bytes of an image's /etc/passwd or /etc/group (security.md R11)."""


class Launcher:
    def __init__(
        self,
        *,
        preparer: Preparer,
        containers: Containers,
        volumes: Volumes,
        facts: HostFacts,
        cgroup_parent: str,
        devices: Callable[[Service], tuple[DeviceNode, ...]],
        init_program: str | None,
        apparmor_profile: str | None,
    ) -> None:
        self._preparer = preparer
        self._containers = containers
        self._volumes = volumes
        self._facts = facts
        self._cgroup_parent = cgroup_parent
        self._devices = devices
        self._init_program = init_program
        self._apparmor_profile = apparmor_profile
        self._prepared: dict[str, Prepared] = {}

    async def prepare(
        self, stack: Stack, record: ContainerRecord, image: Image, contents: Contents
    ) -> None:
        """Make everything but the process."""
        self._prepared[record.id] = await self._preparer.prepare(stack, record, image, contents)

    def warnings(self, stack: Stack) -> tuple[str, ...]:
        """Say what this host cannot give to services that ask for it."""
        return tuple(
            f"services.{name}.{warning}"
            for name, service in sorted(stack.services.items())
            for warning in warnings_for(service, self._facts)
        )

    def forget(self, container_id: str) -> None:
        """Prepare it again before its next start."""
        self._prepared.pop(container_id, None)

    async def launch(
        self,
        stack: Stack,
        record: ContainerRecord,
        image: Image,
        contents: Contents,
        *,
        parents: Mapping[str, ContainerRecord | None],
    ) -> Started:
        """Start the container's process; ``parents``: whose namespaces it shares, by service."""
        if record.id not in self._prepared or not await self._preparer.stands(record):
            await self.prepare(stack, record, image, contents)
        prepared = self._prepared[record.id]
        service = stack.services[record.service]
        inputs = await self._inputs(stack, record, service, prepared, parents)
        async with self._parts(record, prepared) as parts:
            inputs = replace(inputs, volumes={**inputs.volumes, **parts})
            return await self._containers.start(
                Launch(
                    container_id=record.id,
                    spec=build_spec(service, image.config, self._facts, inputs),
                    runtime=service.runtime,
                    log=_log_options(service),
                    stdin_open=service.stdin_open,
                    terminal=service.tty,
                )
            )

    @asynccontextmanager
    async def _parts(
        self, record: ContainerRecord, prepared: Prepared
    ) -> AsyncGenerator[dict[str, str]]:
        """Hold the parts of volumes in place until the runtime has mounted them."""
        places: dict[str, Path] = {}
        try:
            for number, (target, subpath) in enumerate(prepared.subpaths.items()):
                places[target] = await self._volumes.bind_part(
                    f"{record.id}-{number}", Path(prepared.volumes[target]), subpath
                )
            yield {target: str(place) for target, place in places.items()}
        finally:
            with anyio.CancelScope(shield=True):
                for place in places.values():
                    await self._volumes.release_part(place)

    async def _inputs(
        self,
        stack: Stack,
        record: ContainerRecord,
        service: Service,
        prepared: Prepared,
        parents: Mapping[str, ContainerRecord | None],
    ) -> ContainerInputs:
        async def read(path: str) -> bytes | None:
            return await self._volumes.read_in_root(prepared.rootfs, path, largest=LARGEST_PASSWD)

        files = [
            HostMount(target=target, source=source) for target, source in prepared.files.items()
        ]
        files += [
            HostMount(target=target, source=source, read_only=True)
            for target, source in prepared.contents.items()
        ]
        return ContainerInputs(
            container_id=record.id,
            name=record.name,
            stack=stack.name,
            hostname=service.hostname or record.id[:12],
            rootfs=str(prepared.rootfs),
            cgroups_path=f"{self._cgroup_parent}/{record.id}",
            network_namespace=prepared.netns,
            user_namespace=prepared.userns,
            ids=record.ids,
            pid_namespace=_namespace(service.pid, "pid", parents),
            ipc_namespace=_namespace(service.ipc, "ipc", parents),
            shared_memory=self._shared_memory(record, service, parents),
            files=tuple(files),
            volumes=prepared.volumes,
            passwd=await read("/etc/passwd"),
            group=await read("/etc/group"),
            devices=self._devices(service),
            init_program=self._init_program,
            apparmor_profile=self._apparmor_profile,
            selinux_level=level_of(record),
        )

    def _shared_memory(
        self,
        record: ContainerRecord,
        service: Service,
        parents: Mapping[str, ContainerRecord | None],
    ) -> str | None:
        owner = record if service.ipc == "shareable" else _parent(service.ipc, parents)
        return str(self._preparer.shared_memory(owner.id)) if owner is not None else None


def _namespace(
    mode: str | None, kind: str, parents: Mapping[str, ContainerRecord | None]
) -> str | None:
    parent = _parent(mode, parents)
    return f"/proc/{parent.pid}/ns/{kind}" if parent is not None else None


def _parent(
    mode: str | None, parents: Mapping[str, ContainerRecord | None]
) -> ContainerRecord | None:
    """Return the running container whose namespace ``service:NAME`` shares."""
    if mode is None or not mode.startswith("service:"):
        return None
    parent = parents.get(mode.removeprefix("service:"))
    if parent is None or parent.pid is None:
        raise Failed(f"{mode} does not run, so its namespace cannot be shared")
    return parent


def _log_options(service: Service) -> LogOptions:
    defaults = LogOptions()
    if service.logging.driver == "none":
        return LogOptions(max_files=0)
    return LogOptions(
        max_size=service.logging.max_size or defaults.max_size,
        max_files=service.logging.max_file or defaults.max_files,
    )
