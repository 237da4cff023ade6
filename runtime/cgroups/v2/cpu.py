"""cpu, version 2: `linux.resources.cpu` (kernel: admin-guide/cgroup-v2.rst)."""

from __future__ import annotations

import math

from runtime.cgroups.both.burst import check_burst
from runtime.cgroups.writes import Write, integer, section
from runtime.errors import NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section


def plan(resources: Section) -> list[Write]:
    cpu = section(resources, "cpu")
    writes: list[Write] = []
    for key in ("realtimeRuntime", "realtimePeriod"):
        if cpu.get(key):
            raise NotSupported(f"linux.resources.cpu.{key}: cgroup version 2 has no such limit")
    check_burst(cpu)
    idle = integer(cpu, "idle", "cpu.idle")
    if idle is not None:
        writes.append(Write("cpu.idle", str(idle), "cpu.idle", required=idle != 0))
    shares = integer(cpu, "shares", "cpu.shares")
    if shares and not idle:
        # an idle group has the least weight there is, and takes no other
        writes.append(Write("cpu.weight", str(weight_of_shares(shares)), "cpu.shares"))
    writes += _bandwidth(
        integer(cpu, "quota", "cpu.quota") or 0, integer(cpu, "period", "cpu.period") or 0
    )
    burst = integer(cpu, "burst", "cpu.burst")
    if burst is not None:
        writes.append(Write("cpu.max.burst", str(burst), "cpu.burst", required=burst != 0))
    return writes


def _bandwidth(quota: int, period: int) -> list[Write]:
    """`cpu.max` holds both: what is not given stays as it is, for an update (cgroup-v2.rst)."""
    if not quota:
        alone = Write("cpu.max", str(period), "cpu.period", keeps_first=True)
        return [alone] if period else []
    limit = str(quota) if quota > 0 else "max"
    return [Write("cpu.max", f"{limit} {period}" if period else limit, "cpu.quota")]


def weight_of_shares(shares: int) -> int:
    """Shares (2 to 262144, default 1024) as a weight (1 to 10000, default 100).

    A straight line would turn the default 1024 into 39 and so halve and more the part of every
    container against processes that never heard of shares. The curve through (2, 1),
    (1024, 100) and (262144, 10000) on logarithmic scales keeps default equal to default.
    """
    if shares <= 2:
        return 1
    if shares >= 262_144:
        return 10_000
    magnitude = math.log2(shares)
    exponent = (magnitude * magnitude + 125 * magnitude) / 612 - 7 / 34
    return math.ceil(10**exponent)
