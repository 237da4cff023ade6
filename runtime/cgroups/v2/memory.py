"""memory, version 2: `linux.resources.memory` (kernel: admin-guide/cgroup-v2.rst).

The specification's `swap` is version 1's: memory and swap together. Version 2 limits swap alone,
so the memory limit is taken off. What version 2 cannot do is an error ("If the conversion is not
possible the runtime MUST generate an error"), unless it asks for what is so anyway.
"""

from __future__ import annotations

from runtime.cgroups.writes import Write, flag, integer, section
from runtime.errors import NotSupported, SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

_V1_LIMITS = ("kernel", "kernelTCP")


def plan(resources: Section) -> list[Write]:
    memory = section(resources, "memory")
    _refuse_version_1(memory)
    limit = integer(memory, "limit", "memory.limit") or 0
    reservation = integer(memory, "reservation", "memory.reservation") or 0
    checked = flag(memory, "checkBeforeUpdate", "memory.checkBeforeUpdate")
    swap = _swap_alone(limit, integer(memory, "swap", "memory.swap") or 0)
    writes: list[Write] = []
    if limit:
        usage = "memory.current" if checked else None
        writes.append(Write("memory.max", _limit(limit), "memory.limit", not_below=usage))
    if swap is not None:
        writes.append(
            # a kernel without swap has no such file, and no limit is what -1 asks for
            Write("memory.swap.max", _limit(swap), "memory.swap", required=swap >= 0)
        )
    if reservation:
        writes.append(Write("memory.low", _limit(reservation), "memory.reservation"))
    return writes


def _refuse_version_1(memory: Section) -> None:
    asked = [key for key in _V1_LIMITS if (integer(memory, key, f"memory.{key}") or 0) > 0]
    if integer(memory, "swappiness", "memory.swappiness") is not None:
        asked.append("swappiness")
    if flag(memory, "disableOOMKiller", "memory.disableOOMKiller"):
        asked.append("disableOOMKiller")
    # `useHierarchy` is how version 2 always is
    flag(memory, "useHierarchy", "memory.useHierarchy")
    if asked:
        raise NotSupported(
            f"linux.resources.memory.{asked[0]}: cgroup version 2 has nothing like it"
        )


def _limit(value: int) -> str:
    return "max" if value < 0 else str(value)


def _swap_alone(limit: int, memory_and_swap: int) -> int | None:
    """None: leave as it is; negative: no limit."""
    if memory_and_swap == 0:
        # without a limit on memory there is none on both together
        return -1 if limit < 0 else None
    if memory_and_swap < 0:
        return -1
    if limit <= 0:
        raise SpecInvalid("linux.resources.memory.swap: needs memory.limit")
    if memory_and_swap < limit:
        raise SpecInvalid("linux.resources.memory.swap: is lower than memory.limit")
    return memory_and_swap - limit
