"""Set `linux.resources` on a container's cgroup, the first time or again.

Apart from `cgroup.py`, because it loads every controller and eBPF: `state`, `start`, `kill` and
`delete` need none of them, and would pay a third of their time for them.
"""

from __future__ import annotations

from runtime.cgroups import controllers, devices
from runtime.cgroups.apply import apply
from runtime.cgroups.device_rules import device_rules
from runtime.cgroups.v2 import unified as unified_files
from runtime.errors import NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.detect import Layout
    from runtime.cgroups.writes import Section


def apply_resources(
    layout: Layout, legacy: dict[str, str], unified: str | None, resources: Section
) -> list[str]:
    """Gives warnings, one line each."""
    warnings: list[str] = []
    for controller, version, writes in controllers.plan(layout, resources):
        directory = legacy[controller] if version == 1 else unified
        if directory is not None:
            warnings += apply(directory, writes)
    extra = unified_files.plan(resources)
    if extra and unified is None:
        raise NotSupported("linux.resources.unified: this host has no cgroup version 2 tree")
    if extra and unified is not None:
        warnings += apply(unified, extra)
    devices.apply_devices(device_rules(resources), legacy.get("devices"), unified)
    return warnings
