"""cpu, version 2: `linux.resources.cpu` (kernel: admin-guide/cgroup-v2.rst)."""

from __future__ import annotations

import math

from runtime.cgroups.writes import Ignored, Write, integer, section
from runtime.errors import NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

_DEFAULT_PERIOD_US = 100_000


def plan(resources: Section) -> list[Write | Ignored]:
    cpu = section(resources, "cpu")
    writes: list[Write | Ignored] = []
    for key in ("realtimeRuntime", "realtimePeriod"):
        if cpu.get(key):
            raise NotSupported(f"linux.resources.cpu.{key}: cgroup version 2 has no such limit")
    idle = integer(cpu, "idle", "cpu.idle")
    if idle is not None:
        writes.append(Write("cpu.idle", str(idle), "cpu.idle", required=idle != 0))
    shares = integer(cpu, "shares", "cpu.shares")
    if shares:
        writes.append(Write("cpu.weight", str(weight_of_shares(shares)), "cpu.shares"))
    burst = integer(cpu, "burst", "cpu.burst")
    quota = integer(cpu, "quota", "cpu.quota") or 0
    period = integer(cpu, "period", "cpu.period") or 0
    if quota or period:
        limit = str(quota) if quota > 0 else "max"
        value = f"{limit} {period or _DEFAULT_PERIOD_US}"
        writes.append(Write("cpu.max", value, "cpu.quota" if quota else "cpu.period"))
    if burst is not None:
        writes.append(Write("cpu.max.burst", str(burst), "cpu.burst", required=burst != 0))
    return writes


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
