"""exec: one more process in a running container."""

from __future__ import annotations

import os

from runtime.commands.arguments import Flag, UsageError, parse_number, switch
from runtime.commands.create import absolute, preserved_fds
from runtime.commands.foreground import Signals, adopt_orphans, wait_for
from runtime.commands.lookup import find, stored_spec
from runtime.commands.relay import receive_relay, screen_size
from runtime.container.identity import open_process
from runtime.container.state import oci_state
from runtime.container.status import require
from runtime.errors import RuntimeFault, SpecInvalid
from runtime.launch.home import find_home
from runtime.launch.parent import execute
from runtime.launch.prepare import Request, prepare_exec
from runtime.linux.sockets import packet_pair
from runtime.namespaces import plan_entry
from runtime.spec.model import Process, User
from runtime.spec.read import read_process
from runtime.spec.validate import check_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.cgroup import Cgroup
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.commands.relay import Relay
    from runtime.spec.model import Json, Spec

FLAGS = (
    Flag("process", "p", "a file with all of the process, as config.json has it", "FILE"),
    Flag("user", "u", "who it runs as", "UID[:GID]"),
    Flag("cwd", "", "the directory it starts in", "DIR"),
    Flag("env", "e", "one more environment variable", "NAME=VALUE"),
    Flag("cap", "c", "one more capability", "CAP_NAME"),
    Flag("additional-gids", "g", "one more group", "GID"),
    Flag("apparmor", "", "its AppArmor profile", "PROFILE"),
    Flag("process-label", "", "its SELinux label", "LABEL"),
    Flag("cgroup", "", "run it in a cgroup below the container's", "[CONTROLLER,...:]PATH"),
    Flag("console-socket", "", "a unix socket that is sent the terminal's master", "PATH"),
    Flag("pid-file", "", "where to write the process id", "FILE"),
    Flag("pidfd-socket", "", "a unix socket that is sent a pidfd of the process", "PATH"),
    Flag("preserve-fds", "", "leave N descriptors open besides stdio", "N"),
    switch("tty", "t", "give it a terminal"),
    switch("detach", "d", "return when it runs"),
    switch("no-new-privs", "", "it can gain no privileges"),
    switch("ignore-paused", "", "allow it in a paused container"),
)
_LAST_ID = 2**32 - 2
_FAILED = 255  # as runc: told apart from most exit codes of the command itself
_CAPABILITY_SETS = ("bounding", "effective", "permitted")


def run(context: Context, arguments: Arguments) -> int:
    if not arguments.operands:
        raise UsageError("exec needs a container's id")
    if len(arguments.operands) == 1 and not arguments.given("process"):
        raise UsageError("exec needs a command, or --process")
    try:
        return _exec(context, arguments)
    except RuntimeFault as error:
        if error.exit_code == 1:
            error.exit_code = _FAILED
        raise


def _exec(context: Context, arguments: Arguments) -> int:
    identity, *command = arguments.operands
    found = find(context, identity)
    paused = "exec in a paused container"
    require(paused if arguments.on("ignore-paused") else "exec", identity, found.status)
    spec = stored_spec(context, identity)
    process = _process(arguments, spec, tuple(command))
    check_process(process)
    detach = arguments.on("detach")
    if process.terminal and process.console_size is None and not detach:
        process = process.changed(console_size=screen_size())
    preserved = preserved_fds(arguments, context.report.warn)
    ours, sent = packet_pair()
    request = Request(
        id=identity,
        root=context.root,
        bundle=found.state.bundle,
        console_socket=absolute(arguments.text("console-socket")),
        console=None if detach else sent,
        pidfd_socket=absolute(arguments.text("pidfd-socket")),
        preserved_fds=preserved,
    )
    if not detach:
        adopt_orphans()
    pidfd = open_process(found.state.pid, found.state.start_time)
    plan = plan_entry(found.state.pid, pidfd)
    cgroup = sub_cgroup(found.cgroup, arguments.texts("cgroup"))
    root = found.state.rootfs if found.state.shared_root else "/"
    job = prepare_exec(request, spec, process, cgroup, plan, context.report.warn, root)
    if not any(entry.startswith("HOME=") and len(entry) > 5 for entry in process.env):
        job = job.changed(home=_home(found.state.pid, process.user.uid))
    job = job.changed(hook_state=oci_state(found.state, found.status))
    pid_file = absolute(arguments.text("pid-file"))
    if detach:
        execute(job, pid_file, context.report.warn)
        return 0
    with Signals() as signals:
        pid = execute(job, pid_file, context.report.warn)
        return _wait(pid, receive_relay(ours, sent), signals)


def _home(pid: int, uid: int) -> str:
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return "/"
    try:
        return find_home(root, uid)
    finally:
        os.close(root)


def _wait(pid: int, relay: Relay | None, signals: Signals) -> int:
    if relay is None:
        return wait_for(pid, signals)
    try:
        return wait_for(pid, signals, relay)
    finally:
        relay.end()


def sub_cgroup(cgroup: Cgroup, places: list[str]) -> Cgroup:
    """The container's cgroup with some controllers, or all, in directories below it."""
    if not places:
        return cgroup  # which knows the first process, and so where that has moved to
    document = cgroup.to_json()
    legacy, unified = dict(cgroup.legacy), cgroup.unified
    for place in places:
        names, colon, path = place.rpartition(":")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise SpecInvalid(f"--cgroup {place}: bad sub cgroup path: it leads out")
        below = "/".join(("", *parts))
        chosen = names.split(",") if colon else [*legacy, ""]
        for name in chosen:
            if name and name not in legacy:
                raise SpecInvalid(f"--cgroup {place}: unknown controller {name!r}")
        there = [name for name in chosen if _is_below(cgroup, name, below)]
        if not there or (colon and there != chosen):
            raise SpecInvalid(
                f"--cgroup {place}: adding pid to the cgroup {below}: no such file or directory"
            )
        for name in there:
            if name:
                legacy[name] = cgroup.legacy[name] + below
            elif unified is not None:
                unified += below
    return type(cgroup).from_json({**document, "legacy": legacy, "unified": unified})


def _is_below(cgroup: Cgroup, controller: str, path: str) -> bool:
    directory = cgroup.legacy.get(controller) if controller else cgroup.unified
    return directory is not None and os.path.isdir(directory + path)


def _process(arguments: Arguments, spec: Spec, command: tuple[str, ...]) -> Process:
    """--process says it all, as in runc whatever stands beside it; otherwise it is the container's
    own process with what flags change."""
    file = arguments.text("process")
    if file:
        return read_process(file)
    if spec.process is None:
        raise SpecInvalid("process: missing")
    base = spec.process
    groups = arguments.texts("additional-gids")
    user = parse_user(arguments.text("user"), base.user) if arguments.given("user") else base.user
    if groups:
        gids = tuple(_identity("--additional-gids", group) for group in groups)
        user = user.changed(additional_gids=(*user.additional_gids, *gids))
    return base.changed(
        args=command,
        terminal=arguments.on("tty"),
        console_size=None,
        cwd=arguments.text("cwd") or base.cwd,
        env=(*base.env, *arguments.texts("env")),
        user=user,
        capabilities=_with_capabilities(base.capabilities, arguments.texts("cap")),
        no_new_privileges=base.no_new_privileges or arguments.on("no-new-privs"),
        apparmor_profile=arguments.text("apparmor") or base.apparmor_profile,
        selinux_label=arguments.text("process-label") or base.selinux_label,
    )


def parse_user(text: str, base: User) -> User:
    """UID or UID:GID, decimal; a name would have to be looked up inside, which is not our job."""
    uid, colon, gid = text.partition(":")
    return User(
        uid=_identity("--user", uid),
        gid=_identity("--user", gid) if colon else base.gid,
        umask=base.umask,
        additional_gids=base.additional_gids,
    )


def _identity(what: str, text: str) -> int:
    return parse_number(what, text, 0, _LAST_ID)


def _with_capabilities(base: Json | None, added: list[str]) -> Json | None:
    if not added:
        return base
    sets: Json = dict(base or {})
    for name in _CAPABILITY_SETS:
        sets[name] = [*sets.get(name, []), *added]
    return sets
