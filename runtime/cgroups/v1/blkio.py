"""blkio, version 1: `linux.resources.blockIO` (kernel: admin-guide/cgroup-v1/blkio-controller)."""

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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

# the weight files were CFQ's, which Linux 5.0 removed; BFQ brought its own
_WEIGHTS = {
    "weight": ("blkio.weight", "blkio.bfq.weight"),
    "leafWeight": ("blkio.leaf_weight", None),
}
_WEIGHTS_OF_DEVICES = {
    "weight": ("blkio.weight_device", "blkio.bfq.weight_device"),
    "leafWeight": ("blkio.leaf_weight_device", None),
}
_THROTTLES = {
    "throttleReadBpsDevice": "blkio.throttle.read_bps_device",
    "throttleWriteBpsDevice": "blkio.throttle.write_bps_device",
    "throttleReadIOPSDevice": "blkio.throttle.read_iops_device",
    "throttleWriteIOPSDevice": "blkio.throttle.write_iops_device",
}


def plan(resources: Section) -> list[Write]:
    block = section(resources, "blockIO")
    writes: list[Write] = []
    for key, files in _WEIGHTS.items():
        weight = integer(block, key, f"blockIO.{key}")
        if weight:
            check_weight(weight, f"blockIO.{key}")
            writes.append(_weight(files, str(weight), f"blockIO.{key}"))
    for device in entries(block, "weightDevice", "blockIO.weightDevice"):
        number = device_number(device, "blockIO.weightDevice")
        for key, files in _WEIGHTS_OF_DEVICES.items():
            weight = integer(device, key, f"blockIO.weightDevice.{key}")
            if weight:
                field = f"blockIO.weightDevice.{key}"
                check_weight(weight, field)
                writes.append(_weight(files, f"{number} {weight}", field))
    for key, file in _THROTTLES.items():
        field = f"blockIO.{key}"
        for device in entries(block, key, field):
            value = f"{device_number(device, field)} {needed(device, 'rate', field)}"
            writes.append(Write(file, value, field))
    return writes


def _weight(files: tuple[str, str | None], value: str, field: str) -> Write:
    first, second = files
    otherwise = None if second is None else Write(second, value, field)
    return Write(first, value, field, otherwise=otherwise)
