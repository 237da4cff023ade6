"""`linux.resources.cpu.burst`, what it may be in either version."""

from __future__ import annotations

from runtime.cgroups.writes import integer
from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section


def check_burst(cpu: Section) -> None:
    """ "This value MUST be no larger than any positive quota" (config-linux.md, CPU)."""
    burst, quota = integer(cpu, "burst", "cpu.burst"), integer(cpu, "quota", "cpu.quota")
    if burst and quota and 0 < quota < burst:
        raise SpecInvalid(f"linux.resources.cpu.burst: {burst} is larger than cpu.quota, {quota}")
