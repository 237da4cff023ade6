"""Which cgroup hierarchies and controllers the host has, for the facts; limits are the runtime's.

`parse` is pure. Controllers go by their names of version 2 (`io` for `blkio`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stacker.base.facts import CgroupMode

_NAMES = {"blkio": "io"}
_NOT_A_CONTROLLER = frozenset({"rw", "ro", "relatime", "xattr", "cpuacct"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchies:
    legacy: dict[str, str]
    """Controller → mount point, of version 1."""
    unified: str | None
    """The mount point of version 2."""

    @property
    def mode(self) -> CgroupMode:
        if self.unified is None:
            return "v1"
        return "hybrid" if self.legacy else "v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupFacts:
    mode: CgroupMode
    controllers: frozenset[str]
    swap_limit: bool


def probe() -> CgroupFacts:
    hierarchies = parse(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace"))
    controllers = set(hierarchies.legacy)
    if hierarchies.unified is not None:
        listed = Path(hierarchies.unified, "cgroup.controllers")
        controllers |= set(listed.read_text(encoding="ascii").split())
        # device rules are programs there and need no controller
        controllers.add("devices")
    return CgroupFacts(
        mode=hierarchies.mode,
        controllers=frozenset(controllers),
        swap_limit=_limits_swap(hierarchies, controllers),
    )


def parse(mountinfo: str) -> Hierarchies:
    legacy: dict[str, str] = {}
    unified: str | None = None
    for line in mountinfo.splitlines():
        front, _, back = line.partition(" - ")
        fields, kind = front.split(), back.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2":
            unified = unified or fields[4]
        elif kind[0] == "cgroup":
            for word in kind[2].split(","):
                if word not in _NOT_A_CONTROLLER and "=" not in word:
                    legacy.setdefault(_NAMES.get(word, word), fields[4])
    return Hierarchies(legacy=legacy, unified=unified)


def _limits_swap(hierarchies: Hierarchies, controllers: set[str]) -> bool:
    directory = hierarchies.legacy.get("memory")
    if directory is not None:
        return Path(directory, "memory.memsw.limit_in_bytes").exists()
    if hierarchies.unified is None or "memory" not in controllers:
        return False
    # the root of version 2 has no such file: any child tells
    return any(Path(hierarchies.unified).glob("*/memory.swap.max"))


def remove_parent(name: str) -> None:
    """Remove the cgroup ``/NAME`` of every hierarchy, where it is there and nothing is in it."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    mounted = {line.split()[4] for line in lines if line.partition(" - ")[2].startswith("cgroup")}
    for directory in mounted:
        with suppress(OSError):
            Path(directory, name).rmdir()
