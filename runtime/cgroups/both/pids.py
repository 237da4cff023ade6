"""pids, the same in both versions: `linux.resources.pids.limit`; not positive means no limit."""

from __future__ import annotations

from runtime.cgroups.writes import Ignored, Write, integer, section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section


def plan(resources: Section) -> list[Write | Ignored]:
    limit = integer(section(resources, "pids"), "limit", "pids.limit")
    if limit is None:
        return []
    # "no limit" needs no controller: it is what a kernel without one does
    return [Write("pids.max", str(limit) if limit > 0 else "max", "pids.limit", required=limit > 0)]
