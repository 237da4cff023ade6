"""restore: a container made anew from a bundle and the files that checkpoint left."""

from __future__ import annotations

import os
import time

from runtime.cgroups.both import pids
from runtime.cgroups.open import open_cgroup
from runtime.commands import criu
from runtime.commands.arguments import Flag, switch
from runtime.commands.create import absolute
from runtime.commands.delete import delete
from runtime.commands.foreground import Signals, adopt_orphans, leave_orphans, wait_for
from runtime.container import directory
from runtime.container.identity import boot_id, start_time
from runtime.container.state import State, write_state
from runtime.errors import NotSupported, RuntimeFault, SpecInvalid, step
from runtime.launch.parent import write_pid_file
from runtime.linux.constants import AT_FDCWD
from runtime.linux.mount import MS_PRIVATE, attach_at, clone_tree, mount_setattr
from runtime.linux.namespaces import CLONE_NEWNS, unshare
from runtime.rootfs.resolve import open_target
from runtime.spec.read import read_file, spec_of
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.cgroup import Cgroup
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.spec.model import Spec

FLAGS = (
    Flag("bundle", "b", "the directory that config.json is in (.)", "DIR"),
    Flag("console-socket", "", "a unix socket that is sent the terminal's master", "PATH"),
    Flag("pid-file", "", "where to write the process id", "FILE"),
    *criu.COMMON_FLAGS,
    Flag("lsm-profile", "", "another profile: apparmor:NAME or selinux:LABEL", "TYPE:NAME"),
    Flag("lsm-mount-context", "", "another context for mounts", "LABEL"),
    switch("detach", "d", "return when the processes run"),
    switch("keep", "", "do not delete the container when its program has ended"),
    switch("no-subreaper", "", "do not reap the orphans of the container"),
    switch("no-pivot", "", "accepted: CRIU changes the root its own way"),
)
_PID_FILE = "criu.pid"


def run(context: Context, arguments: Arguments) -> int:
    identity = directory.check_id(arguments.operand("the container's id"))
    bundle = os.path.abspath(arguments.text("bundle", "."))
    path = f"{bundle}/config.json"
    config = read_file(path)
    spec = spec_of(config, path)
    program = criu.find_criu(context.criu, "restore")
    _check_terminal(spec, arguments)
    state = State(
        id=identity, pid=0, start_time=0, boot_id=boot_id(), bundle=bundle,
        rootfs=os.path.realpath(os.path.join(bundle, spec.root_path)),
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), owner=os.getuid(),
        annotations=spec.annotations, own_pid_namespace=spec.has_own_namespace("pid"),
    )  # fmt: skip
    if arguments.on("detach"):
        _restore(context, arguments, program, state, spec, config)
        return 0
    adopt_orphans()
    with Signals() as signals:
        state = _restore(context, arguments, program, state, spec, config)
        if arguments.on("no-subreaper"):
            leave_orphans()
        code = wait_for(state.pid, signals)
        if not arguments.on("keep"):
            delete(context, identity, force=True)
    return code


def _check_terminal(spec: Spec, arguments: Arguments) -> None:
    """CRIU gives a terminal's master to those alone who drive it by its own protocol."""
    terminal = spec.process is not None and spec.process.terminal
    if arguments.given("console-socket") or (terminal and not arguments.on("shell-job")):
        raise NotSupported("process.terminal: a terminal is restored only with --shell-job")


def _restore(
    context: Context, arguments: Arguments, program: str, state: State, spec: Spec, config: bytes
) -> State:
    folder = directory.make_directory(context.root, state.id)
    cgroup: Cgroup | None = None
    try:
        directory.store_config(folder, config)
        cgroup = open_cgroup(
            spec.linux.cgroups_path, identity=state.id, manager=context.cgroup_manager
        )
        if cgroup.late:
            raise NotSupported(
                "--cgroup-manager systemd: a scope needs a process before CRIU has made one"
            )
        state = state.changed(cgroup=cgroup.to_json())
        write_state(context.root, state)
        cgroup.create()
        for warning in cgroup.apply(pids.as_of(spec.version, spec.linux.resources)):
            context.report.warn(warning)
        pid = _run_criu(arguments, program, state, spec, folder, cgroup)
        state = state.changed(pid=pid, start_time=start_time(pid), complete=True)
        write_state(context.root, state)
        write_pid_file(absolute(arguments.text("pid-file")), pid)
    except BaseException:
        if cgroup is not None:
            _empty(cgroup)
        directory.remove_directory(context.root, state.id)
        raise
    return state


def _run_criu(
    arguments: Arguments, program: str, state: State, spec: Spec, folder: str, cgroup: Cgroup
) -> int:
    root, pid_file = f"{folder}/{directory.RESTORE_ROOT}", f"{folder}/{_PID_FILE}"
    words = ["restore", *criu.common_arguments(arguments, criu.RESTORE_LOG)]
    words += ["--root", root, "--pidfile", pid_file]
    words += ["--restore-detached", "--restore-sibling", "--evasive-devices"]
    words += criu.restore_mounts(spec, state.bundle)
    for name in ("lsm-profile", "lsm-mount-context"):
        if arguments.text(name):
            words += [f"--{name}", arguments.text(name)]
    fds: list[int] = []
    for path, (_, name) in criu.outside_names(spec).items():
        with step(f"open the namespace {path}"):
            fds.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        words += ["--inherit-fd", f"fd[{fds[-1]}]:{name}"]
    for number, name in enumerate(_descriptors(criu.image_path(arguments))):
        if "pipe:" in name:
            words += ["--inherit-fd", f"fd[{number}]:{name}"]

    def first() -> list[str]:
        """In CRIU's own mount namespace: nothing of this is left anywhere."""
        unshare(CLONE_NEWNS)
        mount_setattr(AT_FDCWD, "/", propagation=MS_PRIVATE, recursive=True)
        attach_at(clone_tree(AT_FDCWD, state.rootfs, recursive=True), root)
        # where it is, the restored processes are: their limits hold from the first moment
        cgroup.add_self()
        return _cgroup_roots()

    with step(f"make {root}"):
        os.mkdir(root, 0o700)
    try:
        _make_mount_points(state.rootfs, spec)
        log = f"{criu.work_path(arguments)}/{criu.RESTORE_LOG}"
        criu.run_criu(program, words, log, fds=tuple(fds), first=first)
        with step(f"read {pid_file}"), open(pid_file, encoding="ascii") as file:
            pid = int(file.read())
        os.unlink(pid_file)
        return pid
    finally:
        os.rmdir(root)
        for fd in fds:
            os.close(fd)


def _cgroup_roots() -> list[str]:
    words: list[str] = []
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            place = f"{controllers}:{path}" if controllers else path
            words += ["--cgroup-root", place]
    return words


def _make_mount_points(rootfs: str, spec: Spec) -> None:
    """As `create` does; those on a tmpfs come back with it."""
    covered = [
        f"{mount.destination.rstrip('/')}/" for mount in spec.mounts if mount.type == "tmpfs"
    ]
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for mount in spec.mounts:
            if mount.destination.startswith(tuple(covered)):
                continue
            bound = mount.type == "bind" or {"bind", "rbind"} & set(mount.options)
            is_file = bool(bound) and os.path.isfile(mount.source)
            os.close(open_target(root, mount.destination, directory=not is_file))
    finally:
        os.close(root)


def _descriptors(images: str) -> list[str]:
    path = f"{images}/{criu.DESCRIPTORS_FILE}"
    try:
        names = json.loads(read_file(path))
    except ValueError as error:
        raise SpecInvalid(f"{path}: not valid JSON") from error
    if not isinstance(names, list):
        raise SpecInvalid(f"{path}: expected a list")
    return [str(name) for name in names[:3]]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _empty(cgroup: Cgroup) -> None:
    try:
        cgroup.kill()
        cgroup.remove()
    except (RuntimeFault, OSError):
        # the failure that brought us here is the one to tell
        return
