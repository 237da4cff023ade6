"""memory, version 1: `linux.resources.memory` (kernel: admin-guide/cgroup-v1/memory.rst)."""

from __future__ import annotations

from runtime.cgroups.writes import Ignored, Write, integer, section

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


def plan(resources: Section) -> list[Write | Ignored]:
    memory = section(resources, "memory")
    writes: list[Write | Ignored] = []
    for key, (file, required) in _NUMBERS.items():
        field = f"memory.{key}"
        value = integer(memory, key, field)
        if value is None or (value == 0 and key not in _ZERO_IS_A_VALUE):
            continue
        # without swap accounting there is no memsw file, and no limit is what -1 asks for
        required = required and not (key == "swap" and value < 0)
        usage = (
            "memory.usage_in_bytes" if key == "limit" and memory.get("checkBeforeUpdate") else None
        )
        writes.append(Write(file, str(value), field, required=required, not_below=usage))
    if memory.get("disableOOMKiller"):
        writes.append(Write("memory.oom_control", "1", "memory.disableOOMKiller"))
    if memory.get("useHierarchy"):
        writes.append(Write("memory.use_hierarchy", "1", "memory.useHierarchy", required=False))
    return writes
