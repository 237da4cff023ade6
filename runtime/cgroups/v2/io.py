"""io, version 2: `linux.resources.blockIO` (kernel: admin-guide/cgroup-v2.rst)."""

from __future__ import annotations

from runtime.cgroups.both.weight import check_weight
from runtime.cgroups.writes import (
    Write,
    device_number,
    entries,
    integer,
    needed,
    section,
)
from runtime.errors import NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

_THROTTLES = {
    "throttleReadBpsDevice": "rbps",
    "throttleWriteBpsDevice": "wbps",
    "throttleReadIOPSDevice": "riops",
    "throttleWriteIOPSDevice": "wiops",
}


def plan(resources: Section) -> list[Write]:
    block = section(resources, "blockIO")
    writes: list[Write] = []
    weight = integer(block, "weight", "blockIO.weight")
    if weight:
        writes.append(_weight("default", weight, "blockIO.weight"))
    _refuse_leaf(block, "blockIO.leafWeight")
    for device in entries(block, "weightDevice", "blockIO.weightDevice"):
        _refuse_leaf(device, "blockIO.weightDevice.leafWeight")
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


def weight_of_block(weight: int) -> int:
    """The specification's 10 to 1000 as 1 to 10000."""
    return 1 + (weight - 10) * 9999 // 990


def _weight(target: str, weight: int, field: str) -> Write:
    """BFQ takes the specification's weights as they are."""
    check_weight(weight, field)
    return Write(
        "io.bfq.weight",
        f"{target} {weight}",
        field,
        otherwise=Write("io.weight", f"{target} {weight_of_block(weight)}", field),
    )


def _refuse_leaf(values: Section, field: str) -> None:
    if integer(values, "leafWeight", field):
        raise NotSupported(f"linux.resources.{field}: cgroup version 2 has nothing like it")
