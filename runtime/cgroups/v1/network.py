"""net_cls and net_prio, version 1 only: `linux.resources.network`."""

from __future__ import annotations

from runtime.cgroups.writes import Write, entries, integer, needed, section, word
from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section


def plan_class(resources: Section) -> list[Write]:
    identity = integer(section(resources, "network"), "classID", "network.classID")
    return [Write("net_cls.classid", str(identity), "network.classID")] if identity else []


def plan_priorities(resources: Section) -> list[Write]:
    writes: list[Write] = []
    for entry in entries(section(resources, "network"), "priorities", "network.priorities"):
        name = word(entry, "name", "network.priorities.name")
        if name is None or " " in name:
            raise SpecInvalid("linux.resources.network.priorities.name: is not an interface name")
        priority = needed(entry, "priority", "network.priorities")
        writes.append(Write("net_prio.ifpriomap", f"{name} {priority}", "network.priorities"))
    return writes
