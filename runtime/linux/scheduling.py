"""When a process runs: scheduling attributes (sched_setattr(2)) and I/O priority (ioprio_set(2)).

All calls are for the calling thread. glibc 2.36 has no function for either.
"""

from __future__ import annotations

import struct

from runtime.linux.constants import MACHINE
from runtime.linux.libc import syscall

# (sched_setattr, ioprio_set) from asm/unistd_64.h and asm-generic/unistd.h
_NUMBERS = {
    "x86_64": (314, 251),
    "ppc64le": (355, 273),
    "s390x": (345, 282),
}
_SYS_SCHED_SETATTR, _SYS_IOPRIO_SET = _NUMBERS.get(MACHINE, (274, 30))

# struct sched_attr, its second version (Linux 5.3): size, policy, flags, nice, priority, runtime,
# deadline, period, and the least and the most utilization
_ATTRIBUTES = struct.Struct("=IIQiIQQQII")

_IOPRIO_WHO_PROCESS = 1
_IOPRIO_CLASS_SHIFT = 13


def set_scheduler(
    policy: int,
    *,
    flags: int = 0,
    nice: int = 0,
    priority: int = 0,
    runtime: int = 0,
    deadline: int = 0,
    period: int = 0,
) -> None:
    size = _ATTRIBUTES.size
    attributes = _ATTRIBUTES.pack(
        size, policy, flags, nice, priority, runtime, deadline, period, 0, 0
    )
    syscall(_SYS_SCHED_SETATTR, 0, attributes, 0)


def set_io_priority(class_: int, level: int) -> None:
    syscall(_SYS_IOPRIO_SET, _IOPRIO_WHO_PROCESS, 0, class_ << _IOPRIO_CLASS_SHIFT | level)
