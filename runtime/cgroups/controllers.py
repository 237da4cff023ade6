"""Which controllers there are, and what plans their writes. Pure: two tables and one function."""

from __future__ import annotations

from runtime.cgroups.both import cpuset, pids, rdma
from runtime.cgroups.v1 import blkio, network
from runtime.cgroups.v1 import cpu as cpu_v1
from runtime.cgroups.v1 import hugetlb as hugetlb_v1
from runtime.cgroups.v1 import memory as memory_v1
from runtime.cgroups.v2 import cpu as cpu_v2
from runtime.cgroups.v2 import hugetlb as hugetlb_v2
from runtime.cgroups.v2 import io
from runtime.cgroups.v2 import memory as memory_v2
from runtime.errors import NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.cgroups.detect import Layout
    from runtime.cgroups.writes import Section, Write

    Planner = Callable[[Section], list[Write]]

# cpuset first: a cpuset of version 1 takes no member before it has processors and memory nodes
V1: dict[str, Planner] = {
    "cpuset": cpuset.plan,
    "cpu": cpu_v1.plan,
    "memory": memory_v1.plan,
    "pids": pids.plan,
    "blkio": blkio.plan,
    "hugetlb": hugetlb_v1.plan,
    "rdma": rdma.plan,
    "net_cls": network.plan_class,
    "net_prio": network.plan_priorities,
}
V2: dict[str, Planner] = {
    "cpuset": cpuset.plan,
    "cpu": cpu_v2.plan,
    "memory": memory_v2.plan,
    "pids": pids.plan,
    "io": io.plan,
    "hugetlb": hugetlb_v2.plan,
    "rdma": rdma.plan,
}
_SAME = {"blkio": "io"}


def plan(layout: Layout, resources: Section) -> list[tuple[str, int, list[Write]]]:
    """What to write where: (controller, version of its hierarchy, writes), empty ones left out.

    A field whose controller this host has in no hierarchy is an error that names both.
    """
    planned: list[tuple[str, int, list[Write]]] = []
    for name, planner in V1.items():
        holder = layout.holder(name) or layout.holder(_SAME.get(name, name))
        version = 1 if holder is None else holder.version
        if version == 2:
            name = _SAME.get(name, name)
            planner = V2.get(name, planner)
        writes = planner(resources)
        if not writes:
            continue
        if holder is None:
            raise_missing(name, writes)
            continue
        planned.append((name, version, writes))
    return planned


def raise_missing(controller: str, writes: list[Write]) -> None:
    """Refuse, unless nothing that was asked for needs the controller."""
    for item in writes:
        if getattr(item, "required", False):
            raise NotSupported(
                f"linux.resources.{item.field}: this host has no {controller} cgroup controller"
            )
