"""What a container needs before its process can run, made and made again.

``prepare`` is idempotent: it is called when a container is created, and before a start whenever
something may be missing (after a reboot, after a supervisor's restart, after a repair).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from stacker.base.errors import Failed
from stacker.base.facts import HostFacts
from stacker.bundle.labels import mount_label, source_label
from stacker.bundle.mounts import shared_memory_size
from stacker.engine.contents import Contents
from stacker.engine.ports import Mounts, Networks, State, Volumes
from stacker.oci.image import Image
from stacker.plan.desired import container_name
from stacker.plan.network_specs import EndpointSpec, PortSpec, Sandbox, SandboxSpec
from stacker.plan.records import ContainerRecord
from stacker.stack.model.mount import Mount
from stacker.stack.model.service import Service
from stacker.stack.model.stack import Stack
from stacker.stack.model.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Where on the host everything is that the bundle refers to."""

    rootfs: Path
    netns: str | None
    """Path of the network namespace to join; None: the host's."""
    userns: str | None
    """Path of the user namespace that owns it, to join; None: the host's."""
    files: dict[str, str]
    """Target in the container → path on the host: hosts, hostname, resolv.conf."""
    contents: dict[str, str]
    """Target in the container → path on the host: configs and secrets."""
    volumes: dict[str, str]
    """Target in the container → path on the host: volumes and binds."""
    subpaths: dict[str, str]
    """Target in the container → place below its volume, which containers may have changed."""


class Preparer:
    def __init__(
        self,
        *,
        mounts: Mounts,
        networks: Networks,
        volumes: Volumes,
        state: State,
        run: Path,
        facts: HostFacts,
    ) -> None:
        self._mounts = mounts
        self._networks = networks
        self._volumes = volumes
        self._state = state
        self._run = run
        self._facts = facts

    def rootfs(self, container_id: str) -> Path:
        return self._run / "rootfs" / container_id

    def upper(self, container_id: str) -> Path:
        """Where a container's changes lie."""
        return self._state.container_dir(container_id) / "upper"

    def shared_memory(self, container_id: str) -> Path:
        """Where the /dev/shm lies that a container shares with others."""
        return self._run / "shm" / container_id

    async def prepare(
        self, stack: Stack, record: ContainerRecord, image: Image, contents: Contents
    ) -> Prepared:
        """Make the root file system, the network, and every file to be mounted."""
        service = stack.services[record.service]
        directory = self._state.container_dir(record.id)
        rootfs = self.rootfs(record.id)
        label = mount_label(service, self._facts, level_of(record))
        await self._mounts.mount_rootfs(
            record.id,
            [Path(layer) for layer in record.layers],
            upper=self.upper(record.id),
            work=directory / "work",
            target=rootfs,
            label=label,
            ids=record.ids,
        )
        if service.ipc == "shareable":
            # from one container's mount namespace nothing can be bound into another's (mount(2))
            await self._mounts.mount_shared_memory(
                self.shared_memory(record.id), size=shared_memory_size(service)
            )
        sandbox = await self._network(stack, record, service)
        return Prepared(
            rootfs=rootfs,
            netns=sandbox.netns if sandbox is not None else None,
            userns=sandbox.userns if sandbox is not None else None,
            files=await self._files(record, service, sandbox, label),
            contents=await self._volumes.write_contents(
                record.id, await contents.files(service, record.ids), label=label
            ),
            volumes=await self._volume_paths(stack, record, service, image),
            subpaths={
                mount.target: mount.volume.subpath
                for mount in service.volumes
                if mount.volume is not None and mount.volume.subpath
            },
        )

    async def stands(self, record: ContainerRecord) -> bool:
        """Whether the root file system is still there: somebody may have unmounted it."""
        return await self._mounts.stands(self.rootfs(record.id), upper=self.upper(record.id))

    async def release(self, record: ContainerRecord) -> None:
        """Take away what ``prepare`` made, and the writable layer with it."""
        await self._networks.detach(record.id)
        await self._mounts.unmount_rootfs(self.rootfs(record.id))
        await self._mounts.unmount_shared_memory(self.shared_memory(record.id))
        await self._volumes.remove_contents(record.id)
        await self._volumes.remove_files(self._files_of(record.id))

    async def sweep(self, kept: frozenset[str], *, besides: Collection[Path]) -> None:
        """Unmount the root file systems and the shared memory that no container uses."""
        places = (self.rootfs, self.shared_memory)
        needed = {place(each) for place in places for each in kept}
        await self._mounts.sweep(needed.union(besides))
        await self._volumes.sweep_files(self._run / "etc", kept)

    async def _network(
        self, stack: Stack, record: ContainerRecord, service: Service
    ) -> Sandbox | None:
        """Return the network it has, or shares: names are looked up where its addresses are."""
        if service.network_mode == "host":
            return None
        if record.shared_sandbox is not None:
            for sandbox in await self._networks.sandboxes():
                if sandbox.container_id == record.shared_sandbox:
                    return sandbox
            raise Failed(f"container {record.name}: the network it shares is gone")

        return await self._networks.attach(sandbox_spec(stack, record))

    async def _files(
        self,
        record: ContainerRecord,
        service: Service,
        sandbox: Sandbox | None,
        label: str | None,
    ) -> dict[str, str]:
        hostname = service.hostname or record.id[:12]
        directory = self._files_of(record.id)
        texts = {
            "hostname": f"{hostname}\n",
            "hosts": self._networks.hosts(
                sandbox, hostname=hostname, extra_hosts=dict(service.extra_hosts)
            ),
            "resolv.conf": self._networks.resolv_conf(
                sandbox, dns=service.dns, search=service.dns_search, options=service.dns_opt
            ),
        }
        owner = 0 if record.ids is None else record.ids.first
        await self._volumes.write_files(directory, texts, owner=owner, label=label)
        return {f"/etc/{name}": str(directory / name) for name in texts}

    def _files_of(self, container_id: str) -> Path:
        return self._run / "etc" / container_id

    async def _volume_paths(
        self,
        stack: Stack,
        record: ContainerRecord,
        service: Service,
        image: Image,
    ) -> dict[str, str]:
        paths: dict[str, str] = {}

        async def label(path: Path, mount: Mount | None) -> None:
            wanted = source_label(service, self._facts, level_of(record), mount)
            if wanted is not None:
                # what somebody asked for by name is done each time; a volume once
                asked = mount is not None and mount.type == "bind"
                await self._volumes.relabel(path, wanted, unless_labelled=not asked)

        for mount in service.volumes:
            if mount.type == "bind" and mount.source is not None:
                create = mount.bind is None or mount.bind.create_host_path
                source = await self._volumes.host_path(mount.source, create=create)
                await label(source, mount)
                paths[mount.target] = str(source)
            elif mount.type == "volume":
                options = mount.volume
                volume = (
                    stack.volumes[mount.source]
                    if mount.source is not None
                    else anonymous_volume(stack, record, mount.target)
                )
                path = await self._volume(
                    stack,
                    volume,
                    mount.source or volume.name,
                    record,
                    mount.target,
                    fill=options is None or not options.nocopy,
                )
                await label(path, mount)
                paths[mount.target] = str(path)

        declared = {mount.target.rstrip("/") for mount in service.volumes}
        for target in image.config.volumes:
            if target.rstrip("/") not in declared:
                volume = anonymous_volume(stack, record, target)
                path = await self._volume(stack, volume, volume.name, record, target, fill=True)
                await label(path, None)
                paths[target] = str(path)
        return paths

    async def _volume(
        self,
        stack: Stack,
        volume: Volume,
        key: str,
        record: ContainerRecord,
        target: str,
        *,
        fill: bool,
    ) -> Path:
        await self._volumes.ensure(volume, stack=stack.name, key=key)
        path = await self._volumes.attach(volume)
        if fill:
            rootfs = self.rootfs(record.id)
            await self._volumes.fill(volume.name, rootfs, target, ids=record.ids)
        return path


def level_of(record: ContainerRecord) -> str:
    """Its pair of SELinux categories; where SELinux does not enforce, nobody asks."""
    return record.selinux_level or "s0"


def anonymous_volume(stack: Stack, record: ContainerRecord, target: str) -> Volume:
    """Name a volume after its place, so that a container made anew finds its data again."""
    place = target.strip("/").replace("/", "-") or "root"
    return Volume(name=f"{stack.name}_{record.service}-{record.index}_{place}")


def has_sandbox(service: Service) -> bool:
    """Whether a container has a network namespace of its own."""
    mode = service.network_mode
    return mode != "host" and not (mode or "").startswith("service:")


def sandbox_spec(stack: Stack, record: ContainerRecord) -> SandboxSpec:
    """Say what the network driver has to make for a container."""
    service = stack.services[record.service]
    names = (record.service, record.name, record.id[:12])
    return SandboxSpec(
        container_id=record.id,
        stack=stack.name,
        name=record.name,
        endpoints=tuple(
            EndpointSpec(
                network=stack.networks[key].name,
                aliases=tuple(dict.fromkeys((*names, *attachment.aliases))),
                ipv4_address=attachment.ipv4_address,
            )
            for key, attachment in service.networks.items()
        ),
        ports=ports(service),
        dns=service.dns,
        links=tuple((link.alias, link.service) for link in service.links),
        ids=record.ids,
    )


def ports(service: Service) -> tuple[PortSpec, ...]:
    return tuple(
        PortSpec(
            target=port.target,
            published=port.published,
            protocol=port.protocol,
            host_ip=port.host_ip or "0.0.0.0",
        )
        for port in service.ports
    )


def current_container(stack: Stack, service: str, records: tuple[ContainerRecord, ...]) -> str:
    """Return the id of a service's first container, whose namespaces others may share."""
    name = container_name(stack, service, 1)
    for record in records:
        if record.name == name:
            return record.id
    raise Failed(f"service {service} has no container whose namespace could be shared")
