"""What the engine works with: one set of drivers, records and events for one state root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from stacker.base.id_range import IdRange
from stacker.engine.bus import Bus
from stacker.engine.containers import ContainerRecords
from stacker.engine.image_mounts import ImageMounts
from stacker.engine.launch import Launcher
from stacker.engine.ports import Containers, Images, Networks, Volumes
from stacker.engine.prepare import Preparer
from stacker.plan.container_specs import Process
from stacker.plan.restart import describe_exit

AT_ONCE = 6
"""Containers that are made or started at the same time: more only queue for two cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What performing needs; made once, in ``daemon/wiring.py``."""

    images: Images
    image_mounts: ImageMounts
    networks: Networks
    volumes: Volumes
    containers: Containers
    records: ContainerRecords
    preparer: Preparer
    launcher: Launcher
    bus: Bus
    boot_id: str
    now: Callable[[], float]
    limiter: anyio.CapacityLimiter
    selinux_levels: Callable[[], frozenset[str]] | None
    """Those of this host's processes; None where SELinux does not enforce."""
    default_runtime: str
    """Of services that name none."""
    check_id_maps: Callable[[], Awaitable[None]]
    """Raises Unsupported where files cannot be shown with the ids of a container."""
    ids_to_give: Callable[[], tuple[IdRange, ...]]
    """The user and group ids of this host that containers may have for their own."""
    ids_in_use: Callable[[], frozenset[IdRange]]
    """Those that processes of this host have in user namespaces."""
    apparmor: str
    """For ``stacker info``: the default profile of containers, or why there is none."""
    layers: str
    """For ``stacker info``: the form of layers on the disk, and how or why."""
    seals: str
    """For ``stacker info``: what the kernel watches over layers by, or why it does not."""

    def tell_warnings(self) -> None:
        """Tell what the image store had to set right."""
        for warning in self.images.take_warnings():
            self.bus.emit("warning", warning)

    def ended(self, container_id: str, process: Process) -> None:
        """Note the end of a process, once, whoever sees it first; and tell it."""
        record = self.records.end(container_id, process)
        if record is None or record.exit is None:
            return
        self.bus.emit(
            "container.exit",
            f"{record.name} {describe_exit(record.exit)}",
            stack=record.stack,
            service=record.service,
            container=record.name,
            id=record.id,
            code=record.exit.code,
            signal=record.exit.signal,
            oom=record.exit.oom,
        )
