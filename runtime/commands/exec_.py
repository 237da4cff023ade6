"""exec: one more process in a running container."""

from __future__ import annotations

import os

from runtime.commands.arguments import Flag, UsageError, parse_number, switch
from runtime.commands.create import preserved_fds
from runtime.commands.foreground import adopt_orphans, wait_for
from runtime.commands.lookup import find, stored_spec
from runtime.container.identity import open_process
from runtime.container.status import require
from runtime.errors import SpecInvalid
from runtime.launch.parent import execute
from runtime.launch.prepare import Request, prepare_exec
from runtime.namespaces import plan_entry
from runtime.spec.model import Process, User
from runtime.spec.read import read_process
from runtime.spec.validate import check_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.spec.model import Json, Spec

FLAGS = (
    Flag("process", "p"),
    Flag("user", "u"),
    Flag("cwd"),
    Flag("env", "e"),
    Flag("cap", "c"),
    Flag("additional-gids", "g"),
    Flag("apparmor"),
    Flag("process-label"),
    Flag("console-socket"),
    Flag("pid-file"),
    Flag("preserve-fds"),
    switch("tty", "t"),
    switch("detach", "d"),
    switch("no-new-privs"),
    switch("ignore-paused"),
)
_LAST_ID = 2**32 - 2
_CAPABILITY_SETS = ("bounding", "effective", "permitted")


def run(context: Context, arguments: Arguments) -> int:
    if not arguments.operands:
        raise UsageError("exec needs a container's id")
    identity, *command = arguments.operands
    found = find(context, identity)
    paused = "exec in a paused container"
    require(paused if arguments.on("ignore-paused") else "exec", identity, found.status)
    spec = stored_spec(context, identity)
    process = _process(arguments, spec, tuple(command))
    check_process(process)
    console = arguments.text("console-socket")
    pid_file = arguments.text("pid-file")
    request = Request(
        id=identity,
        root=context.root,
        bundle=found.state.bundle,
        console_socket=os.path.abspath(console) if console else "",
        preserved_fds=preserved_fds(arguments),
    )
    detach = arguments.on("detach")
    if not detach:
        adopt_orphans()
    pidfd = open_process(found.state.pid, found.state.start_time)
    plan = plan_entry(found.state.pid, pidfd)
    job = prepare_exec(request, spec, process, found.cgroup, plan, context.report.warn)
    pid = execute(job, os.path.abspath(pid_file) if pid_file else "", context.report.warn)
    return 0 if detach else wait_for(pid)


def _process(arguments: Arguments, spec: Spec, command: tuple[str, ...]) -> Process:
    """--process says it all; otherwise it is the container's own process with what flags change."""
    file = arguments.text("process")
    if file:
        if command:
            raise UsageError("exec: a command and --process exclude each other")
        return read_process(file)
    if spec.process is None:
        raise SpecInvalid("process: missing")
    if not command:
        raise UsageError("exec needs a command, or --process")
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
