"""Room on the disk: what takes it, and what may go."""

from __future__ import annotations

from anyio import to_thread

from stacker.engine.keep_room import images_in_use
from stacker.engine.loops import Loops
from stacker.engine.ports import State
from stacker.engine.tools import Tools
from stacker.oci.usage import Pruned, Retention
from stacker.plan.disk_usage import ContainerUsage, DiskUsage, VolumeUsage


class Disk:
    def __init__(self, tools: Tools, state: State, loops: Loops) -> None:
        self._tools = tools
        self._state = state
        self._loops = loops

    async def usage(self) -> DiskUsage:
        tools = self._tools
        processes = await tools.containers.observe()
        containers: list[ContainerUsage] = []
        for record in sorted(tools.records.all(), key=lambda record: record.name):
            size = await to_thread.run_sync(self._state.container_size, record.id)
            process = processes.get(record.id)
            containers.append(
                ContainerUsage(
                    name=record.name,
                    stack=record.stack,
                    size_bytes=size,
                    running=process is not None and process.running,
                )
            )
        sizes = await tools.volumes.sizes()
        volumes = tuple(
            VolumeUsage(
                name=volume.name,
                stack=volume.stack,
                size_bytes=sizes.get(volume.name, 0),
                in_use=volume.stack in self._loops,
            )
            for volume in await tools.volumes.observe()
        )
        images = await tools.images.usage(in_use=images_in_use(self._tools, self._loops.values()))
        return DiskUsage(images=images, containers=tuple(containers), volumes=volumes)

    async def prune(self, retention: Retention) -> Pruned:
        """Remove images; containers and volumes are never touched."""
        return await self._tools.images.prune(
            retention, in_use=lambda: images_in_use(self._tools, self._loops.values())
        )
