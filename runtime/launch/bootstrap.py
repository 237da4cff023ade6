"""The stage between: it makes or joins the namespaces, forks the init, says its pid, and is gone.

It exists because a process cannot move itself into a pid namespace, only its children
(pid_namespaces(7)); and as it ends, the init falls to the caller's subreaper.
"""

from __future__ import annotations

import gc
import os

from runtime.errors import step
from runtime.launch import messages
from runtime.launch.init import enter_container
from runtime.launch.job import Init
from runtime.linux.clone import fork_into
from runtime.linux.process import set_dumpable
from runtime.namespaces import CLONE_NEWUSER, enter_joined, make_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.launch.channel import Channel
    from runtime.launch.job import Job


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
    # and the init is born hidden: a container that it enters sees it from its first moment
    set_dumpable(False)
    plan = job.plan
    enter_joined(plan)
    if plan.new_user:
        make_new(CLONE_NEWUSER)
        channel.send(messages.MAP)
        channel.receive(messages.MAPPED)
    if plan.has_user:
        with step("become root of the user namespace"):
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
    # opened here: not in sight any more where a mount namespace is joined
    unified = None if plan.has_user else job.cgroup.open_unified()
    make_new(plan.new_early)
    with step("fork"):
        pid, in_unified = fork_into(unified)
    if pid == 0:
        enter_container(Init(job, channel, in_unified=in_unified), todo)
    channel.send(messages.CHILD, pid=pid)
    os._exit(0)
