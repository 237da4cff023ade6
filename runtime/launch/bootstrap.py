"""The stage between: it makes or joins the namespaces, forks the init, says its pid, and is gone.

It exists because a process cannot move itself into a pid namespace, only its children
(pid_namespaces(7)); and as it ends, the init falls to the caller's subreaper.
"""

from __future__ import annotations

import errno
import gc
import os

from runtime.errors import KernelFault, step
from runtime.launch import messages
from runtime.launch.init import enter_container
from runtime.launch.job import Init
from runtime.launch.process_steps import reset_affinity, set_affinity
from runtime.launch.procfs import write_oom_score
from runtime.launch.time_offsets import open_offsets, write_offsets
from runtime.linux.clone import fork_into
from runtime.linux.fds import close_inherited
from runtime.linux.process import set_dumpable
from runtime.namespaces import CLONE_NEWUSER, enter_joined, make_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.launch.channel import Channel
    from runtime.launch.job import Job
    from runtime.namespaces import Plan


def fork_stage(
    job: Job, parent: Channel, child: Channel, todo: tuple[Callable[[Init], None], ...]
) -> int:
    """In the parent: start it, and give its pid."""
    with step("fork"):
        pid = os.fork()
    if pid == 0:
        try:
            parent.close()
            _run(job, child, todo)
        except BaseException as error:
            child.fault(error)
        finally:
            os._exit(1)
    child.close()
    return pid


def _run(job: Job, channel: Channel, todo: tuple[Callable[[Init], None], ...]) -> None:
    # a collection would touch, and so copy, the pages we share with a warm parent
    gc.disable()
    # a directory of the host's that our caller left open would be a way out (CVE-2024-21626)
    close_inherited(job.preserved_fds)
    _set_inherited(job, channel)
    plan = job.plan
    time_offsets = job.spec.linux.time_offsets if plan.new_time else ()
    offsets = open_offsets(time_offsets)
    # and the init is born hidden: a container that it enters sees it from its first moment. Whose
    # user namespace is new is alone in it, and who is not root could not write a hidden one's maps
    if not (plan.new_user and job.unprivileged):
        set_dumpable(False)
    enter_joined(plan)
    _close_joined(plan)
    if plan.new_user:
        make_new(CLONE_NEWUSER)
        channel.send(messages.MAP)
        channel.receive(messages.MAPPED)
        set_dumpable(False)
    if plan.has_user:
        _become_somebody(job)
    # opened here: not in sight any more where a mount namespace is joined
    unified = None if plan.has_user else job.cgroup.open_unified()
    make_new(plan.new_early)
    write_offsets(offsets, time_offsets)
    with step("fork"):
        pid, in_unified = fork_into(unified)
    if pid == 0:
        if unified is not None:
            # of the host's cgroup tree: not even for the time until `start` (CVE-2024-21626)
            os.close(unified)
        enter_container(Init(job, channel, in_unified=in_unified), todo)
    channel.send(messages.CHILD, pid=pid)
    os._exit(0)


def _become_somebody(job: Job) -> None:
    """Root of the user namespace, or where that is nobody the process's user: with all of its
    capabilities either way, but only who is mapped can make a file."""
    user = job.process.user
    with step("become a user of the user namespace"):
        for uid, gid in ((0, 0), (user.uid, user.gid)):
            try:
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
            except OSError as error:
                if error.errno != errno.EINVAL or (uid, gid) == (user.uid, user.gid):
                    raise
            else:
                return


def _set_inherited(job: Job, channel: Channel) -> None:
    """What the init gets by the fork, set here: a hidden process cannot write to its own /proc."""
    value = job.process.oom_score_adj
    if value is not None:
        try:
            write_oom_score(value)
        except KernelFault as error:
            # below what it was is for CAP_SYS_RESOURCE (proc_pid_oom_score_adj(5))
            if not job.unprivileged or error.errno != errno.EACCES:
                raise
            channel.warn(f"process.oomScoreAdj: {value} is not ours to give")
    # the caller's own is not for the container, whose cpuset says where it may run
    reset_affinity()
    affinity = job.exec_affinity
    if affinity is not None and affinity.initial:
        set_affinity("initial", affinity.initial)


def _close_joined(plan: Plan) -> None:
    """A namespace's fd is a way back into it; what the new process joins itself, it closes."""
    late = {fd for fd, _ in plan.join_late}
    for fd in {fd for fd, _ in plan.join} - late:
        os.close(fd)
