"""No cgroup at all, for `--cgroup-manager disabled`: the container stays where its caller is.

Nothing is limited, so a limit in config.json is an error that names it. Its processes are those
of its pid namespace; without one of its own nobody can tell which they are.
"""

from __future__ import annotations

import os

from runtime.cgroups import controllers
from runtime.cgroups.cgroup import Cgroup
from runtime.cgroups.detect import Hierarchy, Layout
from runtime.cgroups.device_rules import asks_for_devices
from runtime.cgroups.mounts import cgroup_mounts
from runtime.cgroups.v2 import unified
from runtime.errors import NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.mounts import CgroupMount
    from runtime.cgroups.writes import Section

_FLAG = "--cgroup-manager disabled"
# for planning alone: what would be written if each version 1 controller were there
_EVERYWHERE = Layout(
    legacy=(Hierarchy(mountpoint="/", controllers=tuple(controllers.V1), version=1, own_path="/"),),
    unified=None,
)


class NoCgroup(Cgroup):
    """`init` is set where the container has a pid namespace of its own, and only there."""

    __slots__ = ()

    manager = "disabled"

    def __init__(self) -> None:
        super().__init__(legacy={}, unified=None)

    @classmethod
    def from_json(cls, stored: dict[str, object]) -> NoCgroup:
        return cls()

    def create(self, pid: int = 0, resources: Section | None = None) -> None:
        pass

    def apply(self, resources: Section) -> list[str]:
        wanted = [
            item.field
            for _, _, writes in controllers.plan(_EVERYWHERE, resources)
            for item in writes
            if item.required
        ]
        wanted += [item.field for item in unified.plan(resources) if item.required]
        if asks_for_devices(resources):
            wanted.append("devices")
        if wanted:
            raise NotSupported(f"linux.resources.{wanted[0]}: needs a cgroup ({_FLAG})")
        return []

    def pids(self) -> list[int]:
        namespace = _pid_namespace(self.init)
        if namespace is None:
            return []
        everyone = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return sorted(pid for pid in everyone if _pid_namespace(pid) == namespace)

    def freeze(self) -> None:
        raise NotSupported(f"freeze the container: it has no cgroup ({_FLAG})")

    def thaw(self) -> None:
        raise NotSupported(f"thaw the container: it has no cgroup ({_FLAG})")

    def mounts(self, *, private: bool) -> list[CgroupMount]:
        """What it sees are the cgroups of its caller, where it is."""
        layout = self.detected()
        legacy = {
            name: one.mountpoint + one.own_path.rstrip("/")
            for one in layout.legacy
            for name in one.controllers
        }
        tree = layout.unified
        own = None if tree is None else tree.mountpoint + tree.own_path.rstrip("/")
        return cgroup_mounts(layout, Cgroup(legacy=legacy, unified=own), private=private)


def _pid_namespace(pid: int) -> tuple[int, int] | None:
    if pid <= 0:
        return None
    try:
        found = os.stat(f"/proc/{pid}/ns/pid")
    except OSError:
        return None
    return found.st_dev, found.st_ino
