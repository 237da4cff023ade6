"""One more process in a running container: the same steps as `init.py`, without the building.

It enters the container's namespaces itself, after it has joined the cgroup, because the host's
cgroup files are out of sight from the moment the mount namespace is entered.
"""

from __future__ import annotations

import os

from runtime.errors import step
from runtime.launch import process_steps, root_steps, steps
from runtime.launch.console import make_terminal
from runtime.linux.namespaces import setns
from runtime.rootfs.shared import enter_shared_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.launch.job import Init


def enter_namespaces(it: Init) -> None:
    """All but pid (and user), which the stage between has entered; the root comes with mount.

    Where the mount namespace is the caller's own, the root is a directory of it.
    """
    for fd, flags in it.job.plan.join_late:
        with step("enter the namespaces of the container"):
            setns(fd, flags)
        os.close(fd)
    if it.job.rootfs != "/":
        with step(f"open the root {it.job.rootfs}"):
            root = os.open(it.job.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        enter_shared_root(root)
        os.close(root)


def make_exec_terminal(it: Init) -> None:
    if it.job.process.terminal and it.job.console_socket is not None:
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        it.slave = make_terminal(root, it.job.process, it.job.console_socket)
        os.close(root)


STEPS: tuple[Callable[[Init], None], ...] = (
    steps.wait_for_go,
    steps.join_cgroup,  # needs the host's cgroup files
    process_steps.apply_final_affinity,  # a cpuset joined later would replace it
    steps.start_session,
    root_steps.make_keyring,
    steps.open_labels,  # through the host's /proc
    root_steps.forbid_imports,  # the next step changes the root
    enter_namespaces,
    make_exec_terminal,  # from the container's devpts
    steps.set_labels,
    steps.set_rlimits,
    steps.take_streams,
    process_steps.apply_scheduler,
    process_steps.apply_io_priority,
    process_steps.apply_memory_policy,
    process_steps.apply_personality,
    steps.try_to_enter_working_directory,
    steps.close_descriptors,
    steps.load_privileged_filter,
    steps.drop_privileges,
    steps.enter_working_directory_as_user,
    steps.look_program_up,
    steps.load_notifying_filter,
    steps.say_ready,
    steps.load_filter,
    steps.run_program,
)
