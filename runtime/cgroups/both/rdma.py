"""rdma, the same in both versions: `linux.resources.rdma`, limits by device name."""

from __future__ import annotations

from runtime.cgroups.writes import Write, integer, section
from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

_LIMITS = {"hcaHandles": "hca_handle", "hcaObjects": "hca_object"}


def plan(resources: Section) -> list[Write]:
    devices = section(resources, "rdma")
    writes: list[Write] = []
    for device in devices:
        if not device.isprintable() or " " in device or not device:
            raise SpecInvalid(f"linux.resources.rdma: {device!r} is not the name of a device")
        field = f"rdma.{device}"
        limits = section(devices, device)
        words = [
            f"{name}={value}"
            for key, name in _LIMITS.items()
            if (value := integer(limits, key, f"{field}.{key}")) is not None
        ]
        if not words:
            raise SpecInvalid(f"linux.resources.{field}: needs hcaHandles or hcaObjects")
        writes.append(Write("rdma.max", " ".join((device, *words)), field))
    return writes
