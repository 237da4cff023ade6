"""create: everything but the program itself; init waits until `start` is called."""

from __future__ import annotations

import os

from runtime.commands.arguments import Flag, switch
from runtime.container import directory
from runtime.errors import SpecInvalid
from runtime.launch.parent import create
from runtime.launch.prepare import Request
from runtime.spec.read import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.container.state import State

FLAGS = (
    Flag("bundle", "b"),
    Flag("console-socket"),
    Flag("pid-file"),
    Flag("preserve-fds"),
    switch("no-pivot"),
    switch("no-new-keyring"),
)
_MOST_FDS = 1024


def run(context: Context, arguments: Arguments) -> int:
    create_from(context, arguments, arguments.text("console-socket"))
    return 0


def create_from(context: Context, arguments: Arguments, console_socket: str) -> State:
    request = Request(
        id=directory.check_id(arguments.operand("the container's id")),
        root=context.root,
        bundle=os.path.abspath(arguments.text("bundle", ".")),
        console_socket=os.path.abspath(console_socket) if console_socket else "",
        pid_file=os.path.abspath(arguments.text("pid-file")) if arguments.text("pid-file") else "",
        pivot=not arguments.on("no-pivot"),
        new_keyring=not arguments.on("no-new-keyring"),
        preserved_fds=preserved_fds(arguments),
        systemd_cgroup=context.systemd_cgroup,
    )
    config = read_file(f"{request.bundle}/config.json")
    return create(request, config, context.report.warn)


def preserved_fds(arguments: Arguments) -> int:
    """How many from 3 on; each must be open, or the program would get one of ours in its place."""
    count = arguments.number("preserve-fds", 0, 0, _MOST_FDS)
    for fd in range(3, 3 + count):
        try:
            os.fstat(fd)
        except OSError as error:
            raise SpecInvalid(
                f"--preserve-fds {count}: file descriptor {fd} is not open"
            ) from error
    return count
