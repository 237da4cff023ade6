"""The parent's side: make the container's surroundings, fork, follow the protocol, or undo it all.

Called by `commands/create`, `run` and `exec`, which may themselves run in a child forked from the
monitor: nothing is kept in module variables, and no process is waited for but our own.
"""

from __future__ import annotations

import os
import select
import signal
import time

from runtime.cgroups.both import pids
from runtime.container import directory
from runtime.container.identity import boot_id, start_time
from runtime.container.state import State, oci_state, write_state
from runtime.container.status import CREATED, CREATING
from runtime.errors import RuntimeFault, step
from runtime.launch import exec_init, init, messages
from runtime.launch.bootstrap import fork_stage
from runtime.launch.channel import channel_pair
from runtime.launch.hooks import run_hooks
from runtime.launch.prepare import prepare_container
from runtime.linux.sockets import listen_in, send_fd
from runtime.spec.read import spec_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from runtime.cgroups.cgroup import Cgroup
    from runtime.launch.channel import Channel
    from runtime.launch.job import Job
    from runtime.launch.prepare import Request
    from runtime.spec.model import IdMapping

_DEATH_AWAITED = 10_000  # milliseconds; a killed process that is still there then is the kernel's


def create(request: Request, config: bytes, warn: Callable[[str], None]) -> State:
    """To the point where init waits for `start`; on failure nothing is left."""
    spec = spec_of(config, f"{request.bundle}/config.json")
    folder = directory.make_directory(request.root, request.id)
    cgroup: Cgroup | None = None
    try:
        directory.store_config(folder, config)
        listener = _listen(folder)
        job = prepare_container(request, spec, listener, warn)
        state = _first_state(request, job)
        # before anything is made that a killed `create` would leave: `delete` finds it by this
        write_state(request.root, state)
        # not before: a cgroup that is not made yet may have processes of others in it
        cgroup = job.cgroup
        if not cgroup.late:
            _make_cgroup(job, warn)
        return _launch(request, job, state, warn)
    except BaseException:
        if cgroup is not None:
            _empty(cgroup)
        directory.remove_directory(request.root, request.id)
        raise


def execute(job: Job, pid_file: str, warn: Callable[[str], None]) -> int:
    """Run one more process in a container; gives its pid when the program has been executed."""
    parent, child = channel_pair(warn)
    stage = fork_stage(job, parent, child, exec_init.STEPS)
    try:
        pid = _receive_child(parent, stage, job)
        write_pid_file(pid_file, pid)
        send_pidfd(job.pidfd_socket, pid)
        parent.send(messages.GO)
        parent.receive(messages.READY)
        parent.receive_end()
    finally:
        parent.close()
        job.plan.close()
    return pid


def write_pid_file(path: str, pid: int) -> None:
    if not path:
        return
    with step(f"write the pid file {path}"):
        temporary = f"{os.path.dirname(path) or '.'}/.{os.path.basename(path)}.{os.getpid()}"
        with open(temporary, "w", encoding="ascii") as file:
            file.write(str(pid))
        os.rename(temporary, path)


def send_pidfd(receiver: _socket.socket | None, pid: int) -> None:
    if receiver is None:
        return
    with step("send the pidfd to the pidfd socket"):
        pidfd = os.pidfd_open(pid)
        try:
            send_fd(receiver, pidfd, b"pidfd")
        finally:
            os.close(pidfd)
            receiver.close()


def _first_state(request: Request, job: Job) -> State:
    return State(
        id=request.id,
        pid=0,
        start_time=0,
        boot_id=boot_id(),
        bundle=request.bundle,
        rootfs=job.rootfs,
        created=_now(),
        owner=os.getuid(),
        annotations=job.spec.annotations,
        cgroup=job.cgroup.to_json(),
        own_pid_namespace=job.spec.has_namespace("pid"),
    )


def _launch(request: Request, job: Job, state: State, warn: Callable[[str], None]) -> State:
    # init runs two kinds of hooks itself; inside, its pid is 1
    inside: State = state.changed(pid=1 if state.own_pid_namespace else 0)
    job = job.changed(hook_state=oci_state(inside, CREATED))
    parent, child = channel_pair(warn)
    stage = fork_stage(job, parent, child, init.STEPS)
    pid = 0
    try:
        pid = _receive_child(parent, stage, job)
        state = state.changed(pid=pid, start_time=start_time(pid))
        write_state(request.root, state)
        if job.cgroup.late:
            _make_cgroup(job, warn, pid)
        parent.send(messages.GO)
        parent.receive(messages.MOUNTED)
        hooks, document = job.spec.hooks, oci_state(state, CREATING)
        run_hooks("prestart", hooks.prestart, document)
        run_hooks("createRuntime", hooks.create_runtime, document)
        parent.send(messages.HOOKED)
        parent.receive(messages.READY)
        state = state.changed(complete=True)
        write_state(request.root, state)
        write_pid_file(request.pid_file, pid)
        send_pidfd(job.pidfd_socket, pid)
    except BaseException:
        _kill(pid)
        raise
    finally:
        parent.close()
        job.plan.close()
        if job.notify >= 0:
            os.close(job.notify)
    return state


def _make_cgroup(job: Job, warn: Callable[[str], None], pid: int = 0) -> None:
    """Before init exists; or, where a manager asks for a process to put in, before it goes on."""
    resources = pids.as_of(job.spec.version, job.spec.linux.resources)
    job.cgroup.create(pid, resources)
    for warning in job.cgroup.apply(resources):
        warn(warning)


def _receive_child(parent: Channel, stage: int, job: Job) -> int:
    """The init's pid; the stage between has ended by then."""
    try:
        message = parent.receive(messages.MAP, messages.CHILD)
        if message["kind"] == messages.MAP:
            _write_maps(stage, job)
            parent.send(messages.MAPPED)
            message = parent.receive(messages.CHILD)
    finally:
        os.waitpid(stage, 0)
    pid = int(message["pid"])
    if job.plan.has_user and not job.cgroup.late:
        job.cgroup.add(pid)
    return pid


def _write_maps(pid: int, job: Job) -> None:
    linux = job.spec.linux
    for file, mappings in (("uid_map", linux.uid_mappings), ("gid_map", linux.gid_mappings)):
        with step(f"write the {file} of the user namespace"):
            fd = os.open(f"/proc/{pid}/{file}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, _map_text(mappings))
            os.close(fd)


def _map_text(mappings: tuple[IdMapping, ...]) -> bytes:
    lines = (f"{one.container_id} {one.host_id} {one.size}\n" for one in mappings)
    return "".join(lines).encode("ascii")


def _listen(folder: str) -> _socket.socket:
    with step(f"listen on {folder}/{directory.START_SOCKET}"):
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return listen_in(fd, directory.START_SOCKET)
        finally:
            os.close(fd)


def _kill(pid: int) -> None:
    """Kill an init that has failed and wait until it is gone, whoever its parent is by now."""
    if pid <= 0:
        return
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll(_DEATH_AWAITED)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)


def _empty(cgroup: Cgroup) -> None:
    """Best effort: the failure that brought us here is the one to tell."""
    try:
        cgroup.kill()
        cgroup.remove()
    except (RuntimeFault, OSError):
        return


def _now() -> str:
    nanoseconds = time.time_ns()
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9))
    return f"{date}.{nanoseconds % 10**9:09d}Z"
