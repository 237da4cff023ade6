"""cpu, version 1: `linux.resources.cpu` (kernel: scheduler/sched-bwc.rst, sched-rt-group.rst)."""

from __future__ import annotations

from runtime.cgroups.both.burst import check_burst
from runtime.cgroups.writes import Write, integer, section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

_NUMBERS = {
    "idle": "cpu.idle",
    "shares": "cpu.shares",
    "period": "cpu.cfs_period_us",
    "quota": "cpu.cfs_quota_us",
    "burst": "cpu.cfs_burst_us",
    "realtimePeriod": "cpu.rt_period_us",
    "realtimeRuntime": "cpu.rt_runtime_us",
}
_ZERO_IS_A_VALUE = ("idle", "burst", "realtimeRuntime")


def plan(resources: Section) -> list[Write]:
    cpu = section(resources, "cpu")
    check_burst(cpu)
    idle = integer(cpu, "idle", "cpu.idle")
    writes: list[Write] = []
    for key, file in _NUMBERS.items():
        field = f"cpu.{key}"
        value = integer(cpu, key, field)
        if value is None or (value == 0 and key not in _ZERO_IS_A_VALUE):
            continue
        if key == "shares" and idle:
            # an idle group has the least weight there is, and takes no other
            continue
        writes.append(Write(file, str(value), field, required=value != 0))
    return writes
