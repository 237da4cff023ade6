"""`process.scheduler`, `ioPriority` and `execCPUAffinity` (config.md, "Linux Process").

Words become the kernel's numbers here; what the kernel makes of them is launch's business.
"""

from __future__ import annotations

from runtime.errors import SpecInvalid
from runtime.spec.number_list import parse_list
from runtime.spec.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.fields import Fields

# sched(7) and the kernel's include/uapi/linux/sched.h
POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
# ioprio_set(2)
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}

_REAL_TIME = ("SCHED_FIFO", "SCHED_RR")
_NICE = ("SCHED_OTHER", "SCHED_BATCH")
_DEADLINE = ("runtime", "deadline", "period")
_LAST_CPU = 8191  # the most CPUs a kernel can be built for (CONFIG_NR_CPUS)
_LARGEST = 2**64 - 1


class Scheduler(Record):
    policy: str
    flags: int = 0
    nice: int = 0
    priority: int = 0
    runtime: int = 0  # nanoseconds, as the next two
    deadline: int = 0
    period: int = 0


class IoPriority(Record):
    io_class: str
    level: int = 0


class CpuAffinity(Record):
    """CPUs of a process that `exec` starts, before and after it joins the container's cgroup."""

    initial: tuple[int, ...] = ()
    final: tuple[int, ...] = ()


def parse_scheduler(part: Fields) -> Scheduler:
    policy = choose(part, "policy", POLICIES)
    _refuse_others(part, policy)
    flags = 0
    for index, name in enumerate(part.texts("flags")):
        if name not in FLAGS:
            raise SpecInvalid(f"{part.path('flags')}[{index}]: {name!r} is not a scheduler flag")
        flags |= FLAGS[name]
    real_time = policy in _REAL_TIME
    return Scheduler(
        policy=policy,
        flags=flags,
        nice=part.number("nice", 0, -20, 19),
        priority=part.number("priority", 0, 1 if real_time else 0, 99 if real_time else 0),
        runtime=part.number("runtime", 0, 0, _LARGEST),
        deadline=part.number("deadline", 0, 0, _LARGEST),
        period=part.number("period", 0, 0, _LARGEST),
    )


def parse_io_priority(part: Fields) -> IoPriority:
    io_class = choose(part, "class", IO_CLASSES)
    return IoPriority(io_class=io_class, level=part.number("priority", 0, 0, 7))


def parse_affinity(part: Fields) -> CpuAffinity:
    return CpuAffinity(
        initial=parse_list(part.text("initial"), part.path("initial"), _LAST_CPU),
        final=parse_list(part.text("final"), part.path("final"), _LAST_CPU),
    )


def choose(part: Fields, name: str, table: dict[str, int]) -> str:
    word = part.text(name, None)
    if word not in table:
        raise SpecInvalid(f"{part.path(name)}: {word!r} is not one of {', '.join(table)}")
    return word


def _refuse_others(part: Fields, policy: str) -> None:
    """What the policy has no use for would be dropped by the kernel without a word."""
    foreign = (
        *(() if policy in _NICE else ("nice",)),
        *(() if policy in _REAL_TIME else ("priority",)),
        *(() if policy == "SCHED_DEADLINE" else _DEADLINE),
    )
    for name in foreign:
        if part.values.get(name):
            raise SpecInvalid(f"{part.path(name)}: has no meaning with {policy}")
