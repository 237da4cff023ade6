"""The cgroup of one container, in all hierarchies of the host: made, limited, emptied, removed.

`commands/*` and `launch/parent.py` use this and nothing below it. On hybrid hosts the container
has a directory in the version 2 tree as well, for `cgroup.kill`, `cgroup.freeze` and
`cgroup.events`, which need no controller.
"""

from __future__ import annotations

import errno
import os

from runtime.cgroups import freezer, tree
from runtime.cgroups.apply import read_file, write_file
from runtime.cgroups.detect import Layout, detect
from runtime.cgroups.mounts import CgroupMount, cgroup_mounts
from runtime.errors import KernelFault, NotSupported, ReadOnlyHierarchy, StateConflict
from runtime.linux.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

# processes that fork while they are being killed one by one: each round takes what is left
_KILL_ROUNDS = 100


class Cgroup:
    """`legacy` maps each version 1 controller to its directory; co-mounted ones share it."""

    __slots__ = ("_layout", "init", "legacy", "unified")

    manager = "cgroupfs"
    """What `--cgroup-manager` calls it; `stored_cgroup` finds the class by it."""

    def __init__(
        self, *, legacy: dict[str, str], unified: str | None, layout: Layout | None = None
    ) -> None:
        self.legacy = legacy
        self.unified = unified
        self._layout = layout
        self.init = 0
        """The container's first process, where it is known and lives: see `entry`."""

    @classmethod
    def from_json(cls, stored: dict[str, object]) -> Cgroup:
        """What `to_json` gave, read back; the host is not asked again."""
        legacy, unified = cls.directories_of(stored)
        return cls(legacy=legacy, unified=unified)

    @staticmethod
    def directories_of(stored: dict[str, object]) -> tuple[dict[str, str], str | None]:
        legacy, unified = stored.get("legacy"), stored.get("unified")
        if not isinstance(legacy, dict) or not isinstance(unified, str | None):
            raise StateConflict("the state of the container: its cgroup is not readable")
        items = legacy.items()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return {str(key): str(value) for key, value in items}, unified  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]

    def to_json(self) -> dict[str, object]:
        return {"manager": self.manager, "legacy": self.legacy, "unified": self.unified}

    @property
    def late(self) -> bool:
        """Whether it can only be made when there is a process to put in: see `create`."""
        return False

    @property
    def directories(self) -> list[str]:
        """Each directory once, version 2's last."""
        found = list(dict.fromkeys(self.legacy.values()))
        return found if self.unified is None else [*found, self.unified]

    def create(self, pid: int = 0, resources: Section | None = None) -> None:
        """Make the directories; refuses a place where processes are, in it or below it.

        `pid` and `resources` are for a cgroup that is `late`: the container's first process,
        which is in it afterwards, and what it will be limited to. `apply` is still to be called.
        """
        self.refuse_members()
        self.make_directories()
        self._refuse_frozen()

    def _refuse_frozen(self) -> None:
        """Who is put in would never come to run, and we would wait for it."""
        if self.is_frozen():
            place = self.unified or self.legacy["freezer"]
            self.legacy, self.unified = {}, None
            raise StateConflict(f"container's cgroup unexpectedly frozen: {place}")

    def refuse_members(self) -> None:
        """They would get our limits, and die with our container.

        After a refusal this object holds nothing: whoever cleans up after it harms nobody.
        """
        occupied = next((path for path in self.directories if tree.members(path)), None)
        if occupied is not None:
            self.legacy, self.unified = {}, None
            raise StateConflict(f"the cgroup {occupied} has processes already")

    def make_directories(self) -> None:
        layout = self.detected()
        hierarchies = (*layout.legacy, *((layout.unified,) if layout.unified else ()))
        for hierarchy, directory in zip(hierarchies, self.directories, strict=True):
            try:
                levels = tree.make(directory, hierarchy.mountpoint)
                if "cpuset" in hierarchy.controllers and hierarchy.version == 1:
                    tree.inherit_cpuset(levels)
                if hierarchy.version == 2 and hierarchy.controllers:
                    tree.enable_controllers(hierarchy.mountpoint, levels)
            except OSError as error:
                if error.errno == errno.EROFS:
                    raise ReadOnlyHierarchy(
                        f"linux.cgroupsPath: the cgroups at {hierarchy.mountpoint} are mounted"
                        " read-only"
                    ) from error
                raise _fault(f"make the cgroup {directory}", error) from error
        if self.unified is not None:
            tree.refuse_threaded(self.unified)

    def apply(self, resources: Section) -> list[str]:
        """Set `linux.resources`, the first time or again; gives warnings, one line each."""
        # `create` has loaded it with launch/parent.py; others seldom need it (see there)
        from runtime.cgroups.limits import apply_resources

        return apply_resources(self.detected(), self.legacy, self.unified, resources)

    def add(self, pid: int) -> None:
        """Move one process in, in every hierarchy."""
        entry = self.entry()
        for directory in (*dict.fromkeys(self.legacy.values()), *((entry,) if entry else ())):
            try:
                write_file(f"{directory}/cgroup.procs", str(pid))
            except OSError as error:
                raise _fault(f"move process {pid} into the cgroup {directory}", error) from error

    def add_self(self, *, in_unified: bool = False) -> None:
        """Move the calling process in; it must be single-threaded. `in_unified`: it is there.

        A thread that moves itself through version 1's `tasks` needs no lock on all forks of the
        host, whose price is a grace period of RCU: 0.5 ms against 7 to 18 ms for `add` on an idle
        host (kernel: cgroup_procs_write_start). Version 2 has no such way but to be born there:
        clone3 with CLONE_INTO_CGROUP and `open_unified`.
        """
        legacy = dict.fromkeys(self.legacy.values())
        files = [f"{directory}/tasks" for directory in legacy]
        if not in_unified and (entry := self.entry()) is not None:
            files.append(f"{entry}/cgroup.procs")
        for file in files:
            try:
                write_file(file, "0")
            except OSError as error:
                raise _fault(f"join the cgroup {os.path.dirname(file)}", error) from error

    def open_unified(self) -> int | None:
        """The version 2 directory as an fd for CLONE_INTO_CGROUP; None where there is none."""
        entry = self.entry()
        if entry is None:
            return None
        try:
            return os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _fault(f"open the cgroup {entry}", error) from error

    def entry(self) -> str | None:
        """The version 2 directory that a new process goes to.

        A container that runs cgroups of its own hands its controllers on, and then its own cgroup
        takes no process ("no internal processes", cgroups(7)): where its first one is, is a place.
        """
        if self.unified is None or not self.init:
            return self.unified
        try:
            if not read_file(f"{self.unified}/cgroup.subtree_control"):
                return self.unified
            found = detect(self.init).unified
        except (OSError, KernelFault):
            return self.unified
        place = "" if found is None else found.mountpoint + found.own_path
        return place if place.startswith(f"{self.unified}/") else self.unified

    def detected(self) -> Layout:
        """The hierarchies of this host, looked at once."""
        if self._layout is None:
            self._layout = detect()
        return self._layout

    def pids(self) -> list[int]:
        """The processes of the container, those in cgroups it made itself included."""
        directory = self._census()
        return [] if directory is None else sorted(set(tree.members(directory)))

    def signal(self, number: int) -> None:
        """Send a signal to every process; frozen meanwhile, so that none appears or vanishes."""
        thaw_after = not self.is_frozen() and self._try_freeze()
        try:
            for pid in self.pids():
                _send(pid, number)
        finally:
            if thaw_after:
                self.thaw()

    def kill(self) -> None:
        """Kill every process, forking ones too; does not wait until they are gone."""
        if self.unified is not None and os.path.exists(f"{self.unified}/cgroup.kill"):
            write_file(f"{self.unified}/cgroup.kill", "1")
            self.thaw_legacy()
            return
        for _ in range(_KILL_ROUNDS):
            if not self.pids():
                return
            self.signal(signal.SIGKILL)
            self.thaw_legacy()

    def freeze(self) -> None:
        freezer.set_frozen(self.legacy.get("freezer"), self.unified, frozen=True)

    def thaw(self) -> None:
        freezer.set_frozen(self.legacy.get("freezer"), self.unified, frozen=False)

    def is_frozen(self) -> bool:
        return freezer.is_frozen(self.legacy.get("freezer"), self.unified)

    def remove(self) -> None:
        """Remove the directories and all below them, not their parents; absence is no error."""
        for directory in self.directories:
            try:
                tree.remove(directory)
            except OSError as error:
                raise _fault(f"remove the cgroup {directory}", error) from error

    def mounts(self, *, private: bool) -> list[CgroupMount]:
        """What the `cgroup` mount of config.json shows; asked before the root is entered."""
        return cgroup_mounts(self.detected(), self, private=private)

    def _census(self) -> str | None:
        """The directory to count members in: one that exists, version 2's before others."""
        candidates = (self.unified, self.legacy.get("pids"), *self.legacy.values())
        for directory in candidates:
            if directory is not None and os.path.isdir(directory):
                return directory
        return None

    def _try_freeze(self) -> bool:
        """A process that hangs in the kernel cannot be frozen; signals reach the others."""
        try:
            self.freeze()
        except (KernelFault, NotSupported):
            return False
        return True

    def thaw_legacy(self) -> None:
        """Version 1 holds a frozen process back from dying."""
        directory = self.legacy.get("freezer")
        if directory is not None and freezer.is_frozen(directory, None):
            freezer.set_frozen(directory, None, frozen=False)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _fault(step: str, error: OSError) -> KernelFault:
    return KernelFault(step, error.errno or 0, error.strerror or str(error))
