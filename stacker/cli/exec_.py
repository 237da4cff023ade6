"""``stacker exec``: run a command in a container; its exit code is ours."""

from __future__ import annotations

import argparse
import os
import sys

from stacker.base.errors import Failed, Unavailable
from stacker.cli import notes
from stacker.cli.options import UsageError, add_stack, count
from stacker.cli.selection import find
from stacker.wire.requests import ExecBody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stacker.cli.options import Call

HELP = """A terminal is made for it where stdin and stdout are one, as docker compose does.
The exit code is the command's; 126 and 127 when it cannot be run or is not there."""
EXAMPLES = """examples:
  stacker exec web sh                       a shell
  stacker exec -T db pg_dump shop > dump    bytes as they are
  stacker exec -e DEBUG=1 -u nobody -w /tmp --index 2 web env
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--interactive", action="store_true", help="keep stdin (the default)")
    terminal = parser.add_mutually_exclusive_group()
    terminal.add_argument("-t", "--tty", action="store_true", help="make a terminal")
    terminal.add_argument("-T", "--no-tty", action="store_true", help="make none")
    parser.add_argument(
        "-e", "--env", action="append", default=[], metavar="NAME=VALUE", help="(repeatable)"
    )
    parser.add_argument("-u", "--user", metavar="USER[:GROUP]", help="run as")
    parser.add_argument("-w", "--workdir", metavar="DIR", help="run in")
    parser.add_argument("--index", type=count, default=1, metavar="N", help="which replica (1)")
    parser.add_argument("--privileged", action="store_true", help="with all capabilities")
    add_stack(parser)
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND…")


def run(call: Call) -> int:
    from stacker.cli.terminal import converse

    arguments = call.arguments
    if not arguments.command:
        raise UsageError("exec: no command is given")
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    tty = arguments.tty or (is_terminal and not arguments.no_tty)
    rows, columns = _size()
    supervisor = call.connect()
    wanted = ExecBody(
        service=arguments.service,
        args=tuple(arguments.command),
        index=arguments.index,
        env=tuple(_variable(text) for text in arguments.env),
        cwd=arguments.workdir,
        user=arguments.user,
        tty=tty,
        stdin=True,
        rows=rows,
        columns=columns,
        privileged=arguments.privileged,
    )
    try:
        code = converse(supervisor.exec(find(call, supervisor), wanted), tty=tty and is_terminal)
    except Failed as error:
        if error.exit_code is None:
            raise
        notes.error(str(error))
        return error.exit_code
    if code is None:
        raise Unavailable("exec: the supervisor ended before the command did")
    return code


def _variable(text: str) -> str:
    """Take ``NAME=value``, or ``NAME`` for the caller's value."""
    return text if "=" in text else f"{text}={os.environ.get(text, '')}"


def _size() -> tuple[int, int]:
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 24, 80
    return size.lines, size.columns
