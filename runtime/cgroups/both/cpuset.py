"""cpuset, the same in both versions: `linux.resources.cpu.cpus` and `.mems`, like `0-3,7`."""

from __future__ import annotations

from runtime.cgroups.writes import Write, section, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section


def plan(resources: Section) -> list[Write]:
    cpu = section(resources, "cpu")
    writes: list[Write] = []
    for key in ("cpus", "mems"):
        value = word(cpu, key, f"cpu.{key}")
        if value is not None:
            writes.append(Write(f"cpuset.{key}", value, f"cpu.{key}"))
    return writes
