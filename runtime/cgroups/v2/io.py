"""io, version 2: `linux.resources.blockIO` (kernel: admin-guide/cgroup-v2.rst)."""

from __future__ import annotations

from runtime.cgroups.writes import (
    Ignored,
    Write,
    device_number,
    entries,
    integer,
    needed,
    section,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

_THROTTLES = {
    "throttleReadBpsDevice": "rbps",
    "throttleWriteBpsDevice": "wbps",
    "throttleReadIOPSDevice": "riops",
    "throttleWriteIOPSDevice": "wiops",
}


def plan(resources: Section) -> list[Write | Ignored]:
    block = section(resources, "blockIO")
    writes: list[Write | Ignored] = []
    weight = integer(block, "weight", "blockIO.weight")
    if weight:
        writes.append(_weight("default", weight, "blockIO.weight"))
    if block.get("leafWeight"):
        writes.append(Ignored("blockIO.leafWeight", "cgroup version 2 has no such limit"))
    for device in entries(block, "weightDevice", "blockIO.weightDevice"):
        weight = integer(device, "weight", "blockIO.weightDevice.weight")
        if weight:
            number = device_number(device, "blockIO.weightDevice")
            writes.append(_weight(number, weight, "blockIO.weightDevice.weight"))
    for key, name in _THROTTLES.items():
        field = f"blockIO.{key}"
        for device in entries(block, key, field):
            # 0 takes a limit away in version 1, where the rates of the specification come from
            rate = needed(device, "rate", field) or "max"
            writes.append(Write("io.max", f"{device_number(device, field)} {name}={rate}", field))
    return writes


def _weight(target: str, weight: int, field: str) -> Write:
    """BFQ takes the specification's 10 to 1000 as it is, io.weight runs from 1 to 10000."""
    stretched = 1 + (weight - 10) * 9999 // 990
    return Write(
        "io.bfq.weight",
        f"{target} {weight}",
        field,
        otherwise=Write("io.weight", f"{target} {stretched}", field),
    )
