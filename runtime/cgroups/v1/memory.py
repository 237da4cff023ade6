"""memory, version 1: `linux.resources.memory` (kernel: admin-guide/cgroup-v1/memory.rst)."""

from __future__ import annotations

from runtime.cgroups.writes import Write, flag, integer, section
from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

# field -> (file, must it work). Kernel memory limits went away with Linux 5.16 and are "not
# recommended" by the specification: their absence is told, not fatal.
_NUMBERS = {
    "limit": ("memory.limit_in_bytes", True),
    "swap": ("memory.memsw.limit_in_bytes", True),
    "reservation": ("memory.soft_limit_in_bytes", True),
    "kernel": ("memory.kmem.limit_in_bytes", False),
    "kernelTCP": ("memory.kmem.tcp.limit_in_bytes", False),
    "swappiness": ("memory.swappiness", True),
}
_ZERO_IS_A_VALUE = ("swappiness",)
_USAGE = "memory.usage_in_bytes"
_MOST_SWAPPY = 100


def plan(resources: Section) -> list[Write]:
    memory = section(resources, "memory")
    values = {key: integer(memory, key, f"memory.{key}") for key in _NUMBERS}
    _check(values)
    if (values["limit"] or 0) < 0 and not values["swap"]:
        # without a limit on memory there is none on both together
        values["swap"] = -1
    checked = flag(memory, "checkBeforeUpdate", "memory.checkBeforeUpdate")
    writes: list[Write] = []
    for key, (file, required) in _NUMBERS.items():
        value = values[key]
        if value is None or (value == 0 and key not in _ZERO_IS_A_VALUE):
            continue
        writes.append(
            Write(
                file,
                str(value),
                f"memory.{key}",
                # without swap accounting there is no memsw file, and no limit is what -1 asks for
                required=required and not (key == "swap" and value < 0),
                not_below=_USAGE if key == "limit" and checked else None,
                usage=_USAGE if key == "limit" else None,
            )
        )
    disable = flag(memory, "disableOOMKiller", "memory.disableOOMKiller")
    if disable is not None:
        # false is how a new cgroup is: written for an update, which may take it back
        required = disable
        writes.append(
            Write(
                "memory.oom_control",
                str(int(disable)),
                "memory.disableOOMKiller",
                required=required,
            )
        )
    if flag(memory, "useHierarchy", "memory.useHierarchy"):
        writes.append(Write("memory.use_hierarchy", "1", "memory.useHierarchy", required=False))
    return writes


def _check(values: dict[str, int | None]) -> None:
    limit, swap, swappiness = values["limit"] or 0, values["swap"] or 0, values["swappiness"]
    if swap > 0 and limit < 0:
        raise SpecInvalid("linux.resources.memory.swap: needs memory.limit")
    if 0 < swap < limit:
        raise SpecInvalid("linux.resources.memory.swap: is lower than memory.limit")
    if swappiness is not None and not 0 <= swappiness <= _MOST_SWAPPY:
        raise SpecInvalid(f"linux.resources.memory.swappiness: {swappiness} is not from 0 to 100")
