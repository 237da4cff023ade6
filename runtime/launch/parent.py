"""The parent's side: make the container's surroundings, fork, follow the protocol, or undo it all.

Called by `commands/create`, `run` and `exec`, which may themselves run in a child forked from the
monitor: nothing is kept in module variables, and no process is waited for but our own.
"""

from __future__ import annotations

import os
import select
import time

from runtime.cgroups import resctrl
from runtime.container import directory
from runtime.container.identity import boot_id, start_time
from runtime.container.state import State, oci_state, write_state
from runtime.container.status import CREATED, CREATING, STOPPED
from runtime.errors import InitDied, LaunchFailed, RuntimeFault, step
from runtime.launch import exec_init, init, messages
from runtime.launch.bootstrap import fork_stage
from runtime.launch.channel import channel_pair
from runtime.launch.hooks import run_hooks, run_hooks_to_the_end
from runtime.launch.id_maps import mappings_of, write_maps
from runtime.launch.net_devices import bring_back, move_devices
from runtime.launch.own_cgroup import make_cgroup, make_cgroup_or_do_without, spare, starved
from runtime.launch.prepare import prepare_container
from runtime.launch.rootless import is_rootless
from runtime.launch.seccomp_listener import await_ready
from runtime.launch.streams import give_streams_into
from runtime.linux.signals import signal
from runtime.linux.sockets import listen_in, send_fd
from runtime.rootfs.shared import mount_id, take_root_away
from runtime.spec.read import spec_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from runtime.cgroups.cgroup import Cgroup
    from runtime.launch.channel import Channel
    from runtime.launch.job import Job
    from runtime.launch.prepare import Request
    from runtime.spec.model import Json

_DEATH_AWAITED = 10_000  # milliseconds; a killed process that is still there then is the kernel's


def create(request: Request, config: bytes, warn: Callable[[str], None]) -> State:
    """To the point where init waits for `start`; on failure nothing is left."""
    spec = spec_of(config, f"{request.bundle}/config.json")
    folder = directory.make_directory(request.root, request.id)
    cgroup: Cgroup | None = None
    rdt: Json = {}
    state: State | None = None
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
            job = make_cgroup_or_do_without(job, warn, rootless=is_rootless(request.rootless))
            cgroup = job.cgroup
        if spec.linux.intel_rdt is not None:
            rdt = resctrl.enter_group(spec.linux.intel_rdt, request.id)
        return _launch(request, job, state.changed(cgroup=cgroup.to_json(), rdt=rdt), warn)
    except BaseException:
        if cgroup is not None:
            _empty(cgroup)
        _leave_group(rdt)
        if state is not None:
            # whatever the hooks before the failure have made (runtime.md, "Lifecycle", step 13)
            document = oci_state(state, STOPPED)
            run_hooks_to_the_end("poststop", spec.hooks.poststop, document, warn)
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
        await_ready(parent, job, pid, job.hook_state)
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
        own_pid_namespace=job.spec.has_own_namespace("pid"),
        has_process=job.spec.process is not None,
        creator=os.getpid(),
        creator_start=start_time(os.getpid()),
    )


def _launch(request: Request, job: Job, state: State, warn: Callable[[str], None]) -> State:
    # init runs two kinds of hooks itself; inside, its pid is 1
    inside: State = state.changed(pid=1 if state.own_pid_namespace else 0)
    job = job.changed(hook_state=oci_state(inside, CREATED))
    parent, child = channel_pair(warn)
    stage = fork_stage(job, parent, child, init.STEPS)
    pid, namespace = 0, -1
    covered = mount_id(job.rootfs) if job.shares_mounts else 0
    try:
        pid = _receive_child(parent, stage, job)
        state = state.changed(pid=pid, start_time=start_time(pid))
        write_state(request.root, state)
        if job.cgroup.late:
            make_cgroup(job, warn, pid)
        namespace = move_devices(job.moving, pid)
        if state.rdt:
            resctrl.join(state.rdt, pid)
        parent.send(messages.GO)
        parent.receive(messages.MOUNTED)
        if job.shares_mounts:
            state = state.changed(shared_root=mount_id(job.rootfs))
            write_state(request.root, state)
        hooks, document = job.spec.hooks, oci_state(state, CREATING)
        run_hooks("prestart", hooks.prestart, document)
        run_hooks("createRuntime", hooks.create_runtime, document)
        parent.send(messages.HOOKED)
        await_ready(parent, job, pid, document)
        spare(job, warn)
        state = state.changed(complete=True)
        write_state(request.root, state)
        write_pid_file(request.pid_file, pid)
        send_pidfd(job.pidfd_socket, pid)
    except BaseException as error:
        if namespace >= 0:
            bring_back(job.moving, namespace)
        _kill(pid)
        if job.shares_mounts and (made := mount_id(job.rootfs)) != covered:
            take_root_away(job.rootfs, made)
        if isinstance(error, InitDied) and starved(job):
            raise LaunchFailed(
                "linux.resources.memory: making the container takes more; its init was OOM-killed"
            ) from error
        raise
    finally:
        parent.close()
        job.plan.close()
        if job.notify >= 0:
            os.close(job.notify)
        if namespace >= 0:
            os.close(namespace)
    return state


def _receive_child(parent: Channel, stage: int, job: Job) -> int:
    """The init's pid; the stage between has ended by then."""
    try:
        message = parent.receive(messages.MAP, messages.CHILD)
        if message["kind"] == messages.MAP:
            write_maps(stage, *mappings_of(job.spec.linux))
            parent.send(messages.MAPPED)
            message = parent.receive(messages.CHILD)
    except BaseException:
        # or the stage would wait for us, and we for its end
        parent.close()
        raise
    finally:
        os.waitpid(stage, 0)
    pid = int(message["pid"])
    if job.plan.has_user:
        if not job.cgroup.late:
            job.cgroup.add(pid)
        if not job.unprivileged:
            give_streams_into(pid, job.process.user.uid)
    return pid


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


def _leave_group(rdt: Json) -> None:
    try:
        resctrl.remove(rdt)
    except RuntimeFault:
        return


def _now() -> str:
    nanoseconds = time.time_ns()
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9))
    return f"{date}.{nanoseconds % 10**9:09d}Z"
