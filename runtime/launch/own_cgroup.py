"""The container's own cgroup: made and limited, or, for who may not make any, done without."""

from __future__ import annotations

import errno

# loaded here, before the fork: `Cgroup.apply` asks for it when it is called
from runtime.cgroups import delegation, limits
from runtime.cgroups.both import pids
from runtime.cgroups.device_rules import asks_for_devices
from runtime.cgroups.writes import section
from runtime.errors import KernelFault, ReadOnlyHierarchy
from runtime.launch.rootless import is_rootless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.cgroups.cgroup import Cgroup
    from runtime.launch.job import Job

del limits
_SPARED = "disableOOMKiller"
_REFUSED = (errno.EACCES, errno.EPERM)
# what every config.json asks for, without a limit that somebody would miss
_UNMISSED = frozenset(("devices",))


def make_cgroup(job: Job, warn: Callable[[str], None], pid: int = 0) -> None:
    """Before init exists; or, where a manager asks for a process to put in, before it goes on."""
    resources = pids.as_of(job.spec.version, job.spec.linux.resources)
    job.cgroup.create(pid, resources)
    if "devices" in resources and "devices" not in job.cgroup.legacy and is_rootless("auto"):
        # only who is privileged may load a program (bpf(2)); nor can others make a node inside
        if asks_for_devices(resources):
            warn("linux.resources.devices: not applied: it takes the host's root")
        resources = {name: value for name, value in resources.items() if name != "devices"}
    if _is_spared(job):
        memory = {**section(resources, "memory"), _SPARED: False}
        resources = {**resources, "memory": memory}
    for warning in job.cgroup.apply(resources):
        warn(warning)
    owner = _owner(job)
    if owner is not None:
        delegation.hand_over(job.cgroup, owner)


def _owner(job: Job) -> int | None:
    """Whose the cgroup becomes: config-linux.md, "Cgroup ownership"."""
    own = any(
        mount.type.startswith("cgroup")
        and mount.destination == "/sys/fs/cgroup"
        and "ro" not in mount.options
        for mount in job.spec.mounts
    )
    if not own or not job.plan.new_cgroup or job.cgroup.legacy or job.unprivileged:
        return None
    uid, mappings = job.process.user.uid, job.spec.linux.uid_mappings
    if not job.spec.has_namespace("user"):
        return uid or None
    for mapping in mappings:
        if mapping.container_id <= uid < mapping.container_id + mapping.size:
            return mapping.host_id + uid - mapping.container_id
    return None


def spare(job: Job, warn: Callable[[str], None]) -> None:
    """Take the container from the OOM killer, where that is asked for, once it has been made.

    Without the killer a process that needs more memory than there is sleeps until there is more
    (cgroup-v1/memory.rst, "OOM Control"): init would, and we would wait for it.
    """
    if _is_spared(job):
        for warning in job.cgroup.apply({"memory": {_SPARED: True}}):
            warn(warning)


def starved(job: Job) -> bool:
    """Whether the kernel has killed one of the processes that were making the container."""
    from runtime.cgroups.oom import oom_kills

    return oom_kills(job.cgroup) > 0


def _is_spared(job: Job) -> bool:
    memory = section(job.spec.linux.resources, "memory")
    # version 2 has no such thing, and says so
    return "memory" in job.cgroup.legacy and memory.get(_SPARED) is True


def make_cgroup_or_do_without(job: Job, warn: Callable[[str], None], *, rootless: bool) -> Job:
    """`rootless`: the job goes on with no cgroup where the host does not let us make one."""
    try:
        make_cgroup(job, warn)
        return job
    except (KernelFault, ReadOnlyHierarchy) as error:
        refused = isinstance(error, ReadOnlyHierarchy) or error.errno in _REFUSED
        if not (rootless and refused):
            raise
        _take_back(job.cgroup)
        warn(f"{error}: the container runs without a cgroup of its own")
    lost = sorted(name for name in job.spec.linux.resources if name not in _UNMISSED)
    if lost:
        warn(f"linux.resources: not applied: {', '.join(lost)}")
    from runtime.cgroups.none import NoCgroup

    none = NoCgroup()
    mounts = none.mounts(private=job.plan.new_cgroup) if job.cgroup_mounts else ()
    return job.changed(cgroup=none, cgroup_mounts=tuple(mounts))


def _take_back(cgroup: Cgroup) -> None:
    try:
        cgroup.remove()
    except KernelFault:
        # it has to stay: it was there before us, or others moved in
        return
