"""start: let a created container run its program; returns when it has been executed."""

from __future__ import annotations

import os

from runtime.commands.lookup import find, late_hooks
from runtime.commands.notify import open_notify
from runtime.container import directory
from runtime.container.identity import open_process
from runtime.container.state import oci_state, read_state
from runtime.container.status import RUNNING, require
from runtime.errors import CommandNotRunnable, LaunchFailed, SpecInvalid, StateConflict, step
from runtime.linux.sockets import connect_in
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from runtime.commands.arguments import Arguments, Flag
    from runtime.commands.context import Context
    from runtime.commands.notify import NotifySocket
    from runtime.container.state import State
    from runtime.spec.model import Json

FLAGS: tuple[Flag, ...] = ()


def run(context: Context, arguments: Arguments) -> int:
    identity = arguments.operand("the container's id")
    notify = start(context, identity)
    if notify is not None:
        tell_when_ready(notify, read_state(context.root, identity))
    return 0


def start(context: Context, identity: str) -> NotifySocket | None:
    """Gives the container's notify socket where there is one to attend to."""
    found = find(context, identity)
    require("start", identity, found.status)
    if not found.state.has_process:
        raise SpecInvalid(f"cannot start container {identity}: process: missing in its config.json")
    folder = directory.path_of(context.root, identity)
    notify = open_notify(folder, context.report.warn) if os.environ.get("NOTIFY_SOCKET") else None
    with step(f"start container {identity}"):
        connection = _connect(folder, identity)
        # one caller only: a second `start` finds no socket, and the status is "running"
        os.unlink(f"{folder}/{directory.START_SOCKET}")
        failure = _read_all(connection)
    if failure:
        report: Json = json.loads(failure)
        raise CommandNotRunnable(
            f"start container {identity}: {report['text']}", report["exit_code"]
        )
    hooks = late_hooks(context, identity, "poststart")
    if hooks:
        from runtime.commands.delete import kill_container
        from runtime.launch.hooks import run_hooks

        try:
            run_hooks("poststart", hooks, oci_state(found.state, RUNNING))
        except LaunchFailed:
            # an error, and the container is stopped (runtime.md, "Lifecycle", step 9, since 1.2.1)
            kill_container(found)
            raise
    return notify


def tell_when_ready(notify: NotifySocket | None, state: State) -> None:
    """Before we leave a detached container: its program is the service's main process then."""
    if notify is None:
        return
    try:
        pidfd = open_process(state.pid, state.start_time)
    except StateConflict:
        return
    try:
        if notify.wait(pidfd):
            notify.tell(state.pid)
    finally:
        os.close(pidfd)
        notify.close()


def _connect(folder: str, identity: str) -> _socket.socket:
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return connect_in(fd, directory.START_SOCKET)
    except ConnectionRefusedError as error:
        raise StateConflict(
            f"cannot start a container that has stopped: {identity}: its init has died"
        ) from error
    except FileNotFoundError as error:
        raise LaunchFailed(f"cannot start an already running container: {identity}") from error
    finally:
        os.close(fd)


def _read_all(connection: _socket.socket) -> bytes:
    """Nothing at all when the program was executed: its end of the connection closed."""
    parts: list[bytes] = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        return b""
    finally:
        connection.close()
    return b"".join(parts)
