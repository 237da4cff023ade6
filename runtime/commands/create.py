"""create: everything but the program itself; init waits until `start` is called."""

from __future__ import annotations

import os

from runtime.commands.arguments import Flag, switch
from runtime.container import directory
from runtime.errors import SpecInvalid
from runtime.launch.parent import create
from runtime.launch.prepare import Request
from runtime.linux.fds import FIRST_PRESERVED, came_with_us
from runtime.spec.read import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.container.state import State

FLAGS = (
    Flag("bundle", "b", "the directory that config.json is in (.)", "DIR"),
    Flag("config", "f", "the file to read instead of config.json", "FILE"),
    Flag("console-socket", "", "a unix socket that is sent the terminal's master", "PATH"),
    Flag("pid-file", "", "where to write the process id", "FILE"),
    Flag("pidfd-socket", "", "a unix socket that is sent a pidfd of the process", "PATH"),
    Flag("preserve-fds", "", "leave N descriptors open, besides stdio and $LISTEN_FDS", "N"),
    switch("no-pivot", "", "move the root instead of pivot_root (on an initial ramdisk)"),
    switch("no-new-keyring", "", "keep the session keyring of the caller"),
)
_MOST_FDS = 1024


def run(context: Context, arguments: Arguments) -> int:
    create_from(context, arguments)
    return 0


def create_from(
    context: Context, arguments: Arguments, console: _socket.socket | None = None
) -> State:
    identity = directory.check_id(arguments.operand("the container's id"))
    bundle = os.path.abspath(arguments.text("bundle", "."))
    listened = listen_fds()
    request = Request(
        id=identity,
        root=context.root,
        bundle=bundle,
        console_socket=absolute(arguments.text("console-socket")),
        console=console,
        pid_file=absolute(arguments.text("pid-file")),
        pidfd_socket=absolute(arguments.text("pidfd-socket")),
        pivot=not arguments.on("no-pivot"),
        new_keyring=not arguments.on("no-new-keyring"),
        rootless=context.rootless,
        preserved_fds=preserved_fds(arguments, context.report.warn, listened),
        listen_fds=listened,
        listen_names=os.environ.get("LISTEN_FDNAMES", "") if listened else "",
        notify=bool(os.environ.get("NOTIFY_SOCKET")),
        cgroup_manager=context.cgroup_manager,
    )
    # crun's flag: from where the caller is, not from the bundle
    config = read_file(absolute(arguments.text("config")) or f"{bundle}/config.json")
    return create(request, config, context.report.warn)


def absolute(path: str) -> str:
    return os.path.abspath(path) if path else ""


def listen_fds() -> int:
    """Descriptors of socket activation that are meant for us (sd_listen_fds(3)), from 3 on."""
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return 0
    return min(int(count), _MOST_FDS)


def preserved_fds(
    arguments: Arguments, warn: Callable[[str], None], listened: int = 0
) -> tuple[int, ...]:
    """The descriptors that the program gets: those of $LISTEN_FDS and of the N after them.

    Called before anything of ours is opened that could take the place of one that is not there.
    """
    asked = arguments.number("preserve-fds", 0, 0, _MOST_FDS)
    sockets = range(FIRST_PRESERVED, FIRST_PRESERVED + listened)
    for fd in sockets:
        if not came_with_us(fd):
            raise SpecInvalid(f"LISTEN_FDS: file descriptor {fd} is not open")
    others = range(sockets.stop, sockets.stop + asked)
    open_ones = tuple(fd for fd in others if came_with_us(fd))
    if len(open_ones) < asked:
        # as crun: who asks for many means all there are; runc asks for each
        warn(f"--preserve-fds {asked}: {asked - len(open_ones)} of them are not open")
    return (*sockets, *open_ones)
