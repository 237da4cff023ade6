"""pids, the same in both versions: `linux.resources.pids.limit`.

Runtime specification 1.3: absent leaves it alone, -1 is no limit, 0 is a limit. Before, 0 was no
limit by what runtimes and engines did; `as_of` tells the two apart by the bundle's `ociVersion`.
"""

from __future__ import annotations

from runtime.cgroups.writes import Write, integer, section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

_SINCE = (1, 3)


def plan(resources: Section) -> list[Write]:
    limit = integer(section(resources, "pids"), "limit", "pids.limit")
    if limit is None:
        return []
    # a process has to be there to fork: nobody can tell 0 from 1 but the first one, which is
    # born into the cgroup
    value = str(max(limit, 1)) if limit >= 0 else "max"
    # "no limit" needs no controller: it is what a kernel without one does
    return [Write("pids.max", value, "pids.limit", required=limit >= 0)]


def as_of(version: str, resources: Section) -> Section:
    """The resources of a bundle, whose 0 is no limit where its version is older than 1.3."""
    pids = section(resources, "pids")
    if pids.get("limit") != 0 or isinstance(pids.get("limit"), bool) or _is_new(version):
        return resources
    return {**resources, "pids": {**pids, "limit": -1}}


def _is_new(version: str) -> bool:
    numbers = version.partition("-")[0].split(".")[:2]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return True
    return tuple(int(number) for number in numbers) >= _SINCE
