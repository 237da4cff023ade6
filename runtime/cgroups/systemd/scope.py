"""A container's cgroup that systemd makes, as a transient scope, and takes away again.

systemd makes a scope only with a process to put in it: so it is made late, when the container's
first process waits for it. It is delegated: systemd sets what the unit's properties say and
leaves the rest, and what is below, to us.
"""

from __future__ import annotations

from runtime.cgroups import paths, tree
from runtime.cgroups.cgroup import Cgroup
from runtime.cgroups.detect import detect
from runtime.cgroups.systemd.bus import BusFault
from runtime.cgroups.systemd.manager import Manager, caller_uid
from runtime.cgroups.systemd.properties import resource_properties, unit_properties
from runtime.cgroups.systemd.unit import parse_systemd_path
from runtime.errors import NotSupported, StateConflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.detect import Layout
    from runtime.cgroups.systemd.unit import SystemdPath
    from runtime.cgroups.writes import Section


def open_scope(cgroups_path: str, identity: str) -> ScopeCgroup:
    path = parse_systemd_path(cgroups_path, identity, rootless=caller_uid() != 0)
    layout = detect()
    with Manager() as manager:
        top = manager.control_group()
    legacy, unified = paths.directories(layout, top + path.directory)
    return ScopeCgroup(legacy=legacy, unified=unified, layout=layout, path=path, identity=identity)


class ScopeCgroup(Cgroup):
    """Like any cgroup, once `create` was told a process; `unit` is its name in systemd."""

    __slots__ = ("_fresh", "_identity", "_path", "unit")

    manager = "systemd"

    def __init__(
        self,
        *,
        legacy: dict[str, str],
        unified: str | None,
        layout: Layout | None = None,
        path: SystemdPath | None = None,
        identity: str = "",
        unit: str = "",
    ) -> None:
        super().__init__(legacy=legacy, unified=unified, layout=layout)
        self._path = path
        """None: made already, by an earlier command."""
        self._identity = identity
        self._fresh = False
        self.unit = unit if path is None else path.unit

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), "unit": self.unit}

    @classmethod
    def from_json(cls, stored: dict[str, object]) -> ScopeCgroup:
        legacy, unified = cls.directories_of(stored)
        return cls(legacy=legacy, unified=unified, unit=str(stored.get("unit", "")))

    @property
    def late(self) -> bool:
        return self._path is not None

    def create(self, pid: int = 0, resources: Section | None = None) -> None:
        if self._path is None:
            raise StateConflict(f"the unit {self.unit} was made already")
        self.refuse_members()
        layout = self.detected()
        properties = [
            *unit_properties(self._path, self._identity, pid),
            *resource_properties(layout, resources or {}),
        ]
        with Manager() as manager:
            manager.start(self.unit, properties)
        self._path, self._fresh = None, True
        # systemd makes the directories it needs itself; version 1 trees may not be among them
        self.make_directories()
        self.add(pid)

    def apply(self, resources: Section) -> list[str]:
        properties = [] if self._fresh else resource_properties(self.detected(), resources)
        self._fresh = False
        if properties:
            with Manager() as manager:
                manager.update(self.unit, properties)
        return super().apply(resources)

    def open_unified(self) -> int | None:
        return None if self.late else super().open_unified()

    def kill(self) -> None:
        """Not before it is ours: until then its name may be another's."""
        if not self.late:
            super().kill()

    def remove(self) -> None:
        """The unit goes first: systemd takes its cgroup along, where it is empty."""
        if self.late:
            return
        fault: NotSupported | BusFault | None = None
        try:
            with Manager() as manager:
                manager.stop(self.unit)
                manager.reset_failed(self.unit)
        except (NotSupported, BusFault) as error:
            # no systemd any more: what is left are the directories
            fault = error
        super().remove()
        if fault is not None and any(tree.walk(directory) for directory in self.directories):
            raise fault
