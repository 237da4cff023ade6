"""The steps that every new process of a container takes, by `create` or by `exec`.

Their order, and the reason for it, is in `init.py` and `exec_init.py`.
"""

from __future__ import annotations

import errno
import os

from runtime.container.directory import NOTIFY_SOCKET
from runtime.container.status import CREATED
from runtime.errors import KernelFault, SpecInvalid, step
from runtime.launch import messages
from runtime.launch.console import take_terminal
from runtime.launch.hooks import run_hooks, state_inside
from runtime.launch.program import environment_of, execute, find_program, service_variables
from runtime.launch.seccomp_listener import install_notifying
from runtime.launch.streams import give_streams
from runtime.linux.fds import FIRST_PRESERVED, cloexec_from
from runtime.linux.process import (
    restore_signals,
    set_dumpable,
    set_keep_capabilities,
    set_no_new_privileges,
)
from runtime.linux.signals import signal
from runtime.linux.sockets import accept
from runtime.security import apparmor, capabilities, rlimits, selinux
from runtime.security.seccomp.load import install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from runtime.launch.job import Init

_DEFAULT_UMASK = 0o022
_ENDING = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGALRM,
)  # fmt: skip
"""What ends a program that has not asked for them, and is sent on purpose."""


def wait_for_go(it: Init) -> None:
    it.channel.receive(messages.GO)


def join_cgroup(it: Init) -> None:
    # in a user namespace we are nobody to the host's cgroup files: the parent has moved us
    if not it.job.plan.has_user:
        it.job.cgroup.add_self(in_unified=it.in_unified)


def start_session(_: Init) -> None:
    os.setsid()


def open_labels(it: Init) -> None:
    process = it.job.process
    if process.apparmor_profile:
        fd = apparmor.open_exec(process.apparmor_profile)
        it.labels.append((fd, "apparmor", process.apparmor_profile))
    if process.selinux_label:
        fd = selinux.open_exec(process.selinux_label)
        it.labels.append((fd, "selinux", process.selinux_label))


def set_labels(it: Init) -> None:
    for fd, kind, label in it.labels:
        (apparmor if kind == "apparmor" else selinux).set_exec(fd, label)
        os.close(fd)


def set_rlimits(it: Init) -> None:
    for warning in rlimits.apply(it.job.rlimits):
        it.channel.warn(warning)


def take_streams(it: Init) -> None:
    uid = it.job.process.user.uid
    if it.slave >= 0:
        take_terminal(it.slave, uid)
        return
    give_streams(uid)


def load_privileged_filter(it: Init) -> None:
    """Without no_new_privs a filter takes CAP_SYS_ADMIN, which the next steps give up."""
    loaded = it.job.seccomp
    if loaded is None or it.job.process.no_new_privileges:
        return
    if loaded.notifies:
        install_notifying(it, loaded)
    else:
        install(loaded)


def load_notifying_filter(it: Init) -> None:
    """With no_new_privs; what comes after may have to wait for the agent."""
    loaded = it.job.seccomp
    if loaded is not None and loaded.notifies and it.job.process.no_new_privileges:
        with step("set no_new_privs"):
            set_no_new_privileges()
        install_notifying(it, loaded)


def drop_privileges(it: Init) -> None:
    user, sets = it.job.process.user, it.job.capabilities
    # the bounding set while CAP_SETPCAP is still there
    capabilities.apply_bounding(sets)
    with step(f"become user {user.uid}:{user.gid}"):
        set_keep_capabilities(True)
        _set_groups(user.additional_gids)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
        set_keep_capabilities(False)
    capabilities.apply(sets)
    # a change of user turned the flag back on (prctl(2), PR_SET_DUMPABLE)
    set_dumpable(False)
    os.umask(_DEFAULT_UMASK if user.umask is None else user.umask)


def _set_groups(groups: tuple[int, ...]) -> None:
    try:
        os.setgroups(groups)
    except PermissionError:
        # a user namespace whose setgroups is "deny" (user_namespaces(7)): nothing to take away
        if groups:
            raise SpecInvalid(
                "process.user.additionalGids: the user namespace does not allow setgroups"
            ) from None


def try_to_enter_working_directory(it: Init) -> None:
    """As root, which is how runc and crun do it: an image's directory may be closed to its user."""
    try:
        enter_working_directory(it)
    except KernelFault as error:
        if error.errno != errno.EACCES:
            raise
        it.outside = True


def enter_working_directory_as_user(it: Init) -> None:
    if it.outside:
        enter_working_directory(it)


def enter_working_directory(it: Init) -> None:
    cwd = it.job.process.cwd
    with step(f"enter the working directory {cwd}"):
        os.chdir(cwd)
        # a directory outside of our root has no path here (CVE-2024-21626)
        inside = os.getcwd()
    if not inside.startswith("/"):
        raise KernelFault(f"enter the working directory {cwd}", 0, "it is outside of the root")


def look_program_up(it: Init) -> None:
    job = it.job
    if not job.process.args:
        return  # created without a process, and never to be started
    it.environment = environment_of(job.process.env) | service_variables(
        listen_fds=job.listen_fds,
        listen_names=job.listen_names,
        notify=NOTIFY_SOCKET if job.notify >= 0 else "",
    )
    if not it.environment.get("HOME"):
        it.environment["HOME"] = it.home
    it.program = find_program(it.job.process.args[0], it.environment)


def say_ready(it: Init) -> None:
    it.channel.send(messages.READY)


def wait_for_start(it: Init) -> None:
    # to the first process of a pid namespace nothing is sent that it does not handle (signal(7))
    for number in _ENDING:
        signal.signal(number, _end)
    if it.job.listener is not None:
        it.caller = accept(it.job.listener)


def _end(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


def run_start_container_hooks(it: Init) -> None:
    hooks = it.job.spec.hooks.start_container
    if not hooks:
        return
    load_filter(it)  # they are the container's programs: what it may not do, they may not
    state = state_inside(it.job.hook_state, CREATED)
    # nor is the caller's environment for them
    inside = tuple(f"{name}={value}" for name, value in it.environment.items())
    run_hooks("startContainer", hooks, state, inside)


def load_filter(it: Init) -> None:
    if it.job.process.no_new_privileges and not it.filtered:
        it.filtered = True
        with step("set no_new_privs"):
            set_no_new_privileges()
        loaded = it.job.seccomp
        if loaded is not None and not loaded.notifies:
            install(loaded)


def close_descriptors(it: Init) -> None:
    """At execve; also the channel, whose end tells the parent that the program runs.

    What is opened after this is closed as well: so is all that Python opens (PEP 446).
    """
    cloexec_from(FIRST_PRESERVED)
    for fd in it.job.preserved_fds:
        os.set_inheritable(fd, True)


def run_program(it: Init) -> None:
    restore_signals()
    execute(it.program, it.job.process.args, it.environment)
