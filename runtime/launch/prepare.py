"""From config.json to a `Job`: everything that reads a file or may be refused, before the fork."""

from __future__ import annotations

import os

from runtime.cgroups.open import open_cgroup
from runtime.container import directory
from runtime.errors import NotSupported, SpecInvalid, step
from runtime.launch.job import Job
from runtime.launch.net_devices import look_at_devices
from runtime.launch.rootless import check_user_namespace
from runtime.launch.sources import open_hidden_root, open_sources
from runtime.linux.constants import AT_FDCWD
from runtime.linux.mount import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    clone_tree,
    mount_setattr,
)
from runtime.linux.sockets import connect_to
from runtime.namespaces import FILES, plan_namespaces
from runtime.security import capabilities, rlimits, selinux
from runtime.security.seccomp.load import prepare
from runtime.spec.model import Process
from runtime.spec.record import Record
from runtime.spec.validate import namespace_of_sysctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from runtime.cgroups.cgroup import Cgroup
    from runtime.namespaces import Plan
    from runtime.security.seccomp.load import Filter
    from runtime.spec.model import Json, Spec

_NOTIFY_ATTRIBUTES = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


# config.md, "Process": it is REQUIRED when `start` is called, not before
_NO_PROCESS = Process(args=(), cwd="/")


class Request(Record):
    """What the command line asks for beside config.json."""

    id: str
    root: str
    bundle: str
    console_socket: str = ""
    pid_file: str = ""
    pivot: bool = True
    new_keyring: bool = True
    preserved_fds: tuple[int, ...] = ()
    cgroup_manager: str = "cgroupfs"
    console: _socket.socket | None = None
    """Takes the terminal where there is no console socket: the caller is the console itself."""
    pidfd_socket: str = ""
    listen_fds: int = 0
    """How many of the preserved descriptors, the first ones, are for socket activation."""
    listen_names: str = ""
    notify: bool = False
    """Give the program a notify socket of its own (sd_notify(3))."""
    rootless: str = "auto"
    """true, false, or auto: when the caller is not root."""


def prepare_container(
    request: Request, spec: Spec, listener: _socket.socket, warn: Callable[[str], None]
) -> Job:
    check_user_namespace(spec)
    _refuse_host_sysctls(spec)
    rootfs = os.path.realpath(os.path.join(request.bundle, spec.root_path))
    if not os.path.isdir(rootfs):
        raise SpecInvalid(f"root.path: {rootfs} is not a directory")
    cgroup = open_cgroup(
        spec.linux.cgroups_path, identity=request.id, manager=request.cgroup_manager
    )
    if spec.linux.mount_label and not selinux.is_enabled():
        raise NotSupported("linux.mountLabel: SELinux is not enabled on this host")
    private = spec.has_namespace("cgroup")
    wanted = any(mount.type == "cgroup" for mount in spec.mounts)
    plan = plan_namespaces(spec.linux.namespaces)
    return Job(
        **_process_parts(request, spec, spec.process or _NO_PROCESS, plan, warn),
        bundle=request.bundle,
        rootfs=rootfs,
        cgroup=cgroup,
        plan=plan,
        shares_mounts=not spec.has_namespace("mount"),
        moving=look_at_devices(spec.linux.net_devices),
        opened_root=open_hidden_root(rootfs, plan),
        opened_sources=open_sources(spec, request.bundle, plan),
        cgroup_mounts=tuple(cgroup.mounts(private=private)) if wanted else (),
        listener=listener,
        preserved_fds=request.preserved_fds,
        pivot=request.pivot,
        new_keyring=request.new_keyring,
        notify=notify_directory(request) if request.notify else -1,
    )


def _refuse_host_sysctls(spec: Spec) -> None:
    """A namespace that is joined by its path may be the one that we are in."""
    for name in spec.linux.sysctl:
        kind = namespace_of_sysctl(name)
        path = spec.namespace_path(kind)
        if not path:
            continue
        with step(f"linux.namespaces: {kind}"):
            theirs, ours = os.stat(path), os.stat(f"/proc/self/ns/{FILES[kind]}")
        if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino):
            raise SpecInvalid(f"linux.sysctl: {name} would change the host: {path} is the host's")


def prepare_exec(
    request: Request,
    spec: Spec,
    process: Process,
    cgroup: Cgroup,
    plan: Plan,
    warn: Callable[[str], None],
    rootfs: str = "/",
) -> Job:
    """`rootfs`: where the container has no mount namespace whose root it would be."""
    return Job(
        **_process_parts(request, spec, process, plan, warn),
        bundle=request.bundle,
        rootfs=rootfs,
        cgroup=cgroup,
        plan=plan,
        exec_affinity=process.exec_cpu_affinity,
        preserved_fds=request.preserved_fds,
        new_keyring=request.new_keyring,
    )


def _process_parts(
    request: Request, spec: Spec, process: Process, plan: Plan, warn: Callable[[str], None]
) -> Json:
    # who makes or joins a user namespace has all of them there
    sets, warnings = capabilities.resolve(process.capabilities, all_held=plan.has_user)
    for warning in warnings:
        warn(warning)
    return {
        "spec": spec,
        "process": process,
        "capabilities": sets,
        "rlimits": tuple(rlimits.resolve(process.rlimits)),
        "seccomp": _filter(spec, request.root),
        "unprivileged": os.geteuid() != 0,
        "console_socket": _console(process, request),
        "pidfd_socket": _pidfd_socket(request.pidfd_socket),
        "listen_fds": request.listen_fds,
        "listen_names": request.listen_names,
    }


def _filter(spec: Spec, root: str) -> Filter | None:
    """Compiled profiles are kept: most containers of a host have the same one."""
    if spec.linux.seccomp is None:
        return None
    cache = f"{root}/{directory.CACHE}"
    with step(f"make {cache}"):
        os.makedirs(cache, 0o700, exist_ok=True)
    return prepare(spec.linux.seccomp, cache)


def _console(process: Process, request: Request) -> _socket.socket | None:
    """The refusals are runc's words."""
    path = request.console_socket
    if not process.terminal:
        if path:
            raise SpecInvalid(
                "cannot use console socket if the runtime will not detach or allocate tty: "
                "process.terminal is false"
            )
        return None
    if path:
        with step(f"connect to the console socket {path}"):
            return connect_to(path)
    if request.console is None:
        raise SpecInvalid(
            "cannot allocate tty if the runtime will detach without setting console socket: "
            "process.terminal needs --console-socket"
        )
    return request.console


def _pidfd_socket(path: str) -> _socket.socket | None:
    if not path:
        return None
    with step(f"connect to the pidfd socket {path}"):
        return connect_to(path)


def notify_directory(request: Request) -> int:
    """A detached read-only mount of the directory that `start` binds the socket in.

    Through a writable one the container could leave names in the runtime's own directory.
    """
    path = f"{directory.path_of(request.root, request.id)}/{directory.NOTIFY}"
    with step(f"mount the notify socket's directory {path}"):
        os.mkdir(path, 0o755)
        os.chmod(path, 0o755)  # whatever the umask: the program may be any user
        mount = clone_tree(AT_FDCWD, path)
        mount_setattr(mount, set_=_NOTIFY_ATTRIBUTES)
    return mount
