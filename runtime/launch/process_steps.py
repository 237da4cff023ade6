"""The steps that say when, where and as what the program runs. Order: see `init.py`.

A priority survives execve, and raising one takes capabilities of the host: these come before
they are dropped.
"""

from __future__ import annotations

import errno
import os

from runtime.errors import KernelFault, NotSupported, step
from runtime.linux.memory_policy import set_memory_policy
from runtime.linux.process import personality
from runtime.linux.scheduling import set_io_priority, set_scheduler
from runtime.spec.execution import MEMORY_MODES
from runtime.spec.scheduling import IO_CLASSES, POLICIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.launch.job import Init

# what a kernel says that lacks the call, or knows nothing of the value
_LACKING = (errno.ENOSYS, errno.EOPNOTSUPP)


def apply_scheduler(it: Init) -> None:
    wanted = it.job.process.scheduler
    if wanted is None:
        return
    try:
        set_scheduler(
            POLICIES[wanted.policy],
            flags=wanted.flags,
            nice=wanted.nice,
            priority=wanted.priority,
            runtime=wanted.runtime,
            deadline=wanted.deadline,
            period=wanted.period,
        )
    except OSError as error:
        raise _refused(f"process.scheduler: {wanted.policy}", error) from error


def apply_io_priority(it: Init) -> None:
    wanted = it.job.process.io_priority
    if wanted is None:
        return
    try:
        set_io_priority(IO_CLASSES[wanted.io_class], wanted.level)
    except OSError as error:
        raise _refused(f"process.ioPriority: {wanted.io_class}", error) from error


def apply_memory_policy(it: Init) -> None:
    wanted = it.job.spec.linux.memory_policy
    if wanted is None:
        return
    try:
        set_memory_policy(MEMORY_MODES[wanted.mode] | wanted.flags, wanted.nodes)
    except OSError as error:
        raise _refused(f"linux.memoryPolicy: {wanted.mode}", error) from error


def apply_personality(it: Init) -> None:
    domain = it.job.spec.linux.personality
    if domain is not None:
        with step("linux.personality"):
            personality(domain)


def apply_final_affinity(it: Init) -> None:
    """`exec` alone, and in the cgroup: a cpuset replaces what was chosen before."""
    affinity = it.job.exec_affinity
    if affinity is not None and affinity.final:
        set_affinity("final", affinity.final)


_CPUS = 1024
"""More than most kernels are built for (CPU_SETSIZE in sched.h)."""


def set_affinity(field: str, cpus: tuple[int, ...]) -> None:
    with step(f"process.execCPUAffinity.{field}"):
        os.sched_setaffinity(0, cpus)


def reset_affinity() -> None:
    """Every CPU that the cgroup allows, now and when it is changed."""
    try:
        os.sched_setaffinity(0, range(_CPUS))
    except OSError:
        return  # a filter, or a host that allows none of them


def _refused(field: str, error: OSError) -> NotSupported | KernelFault:
    if error.errno in _LACKING:
        return NotSupported(f"{field}: this kernel has no such thing")
    return KernelFault(field, error.errno or 0, error.strerror or "")
