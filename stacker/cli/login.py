"""``stacker login``: try a name and a password with a registry, and keep them."""

from __future__ import annotations

import os
import sys

from stacker.cli import notes, progress
from stacker.cli.exits import Exit
from stacker.cli.options import UsageError, add_registry
from stacker.wire.requests import LoginRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """The registry is asked first, and what it refuses is not kept. What it takes is kept in
auth.json in the state root, for root only: the password, or the token that the registry gives."""
EXAMPLES = """examples:
  stacker login ghcr.io                                     asks for a name and a password
  pass show ghcr | stacker login -u me --password-stdin ghcr.io
  stacker login -u me docker.io
  stacker login -p shop registry.lan                        for the stack `shop` alone
"""

PASSWORD_LIMIT = 64 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_registry(parser)
    parser.add_argument("-u", "--username", metavar="NAME", help="as whom")
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from stdin"
    )


def run(call: Call) -> int:
    user = call.arguments.username
    if call.arguments.password_stdin:
        if user is None:
            raise UsageError("--password-stdin needs --username")
        password = _first_line(sys.stdin.buffer.read(PASSWORD_LIMIT))
    else:
        user, password = _asked(user, call.arguments.registry)
    if not user or not password:
        raise UsageError("a login needs a name and a password")

    wanted = LoginRequest(
        registry=call.arguments.registry,
        user=user,
        password=password,
        stack=call.arguments.project,
    )
    progress.follow(call.connect_or_start().login(wanted), quiet=True)
    notes.note(f"logged in to {call.arguments.registry} as {user}")
    return Exit.OK


def _asked(user: str | None, registry: str) -> tuple[str, str]:
    """Ask on the terminal; the password is not shown."""
    if not os.isatty(sys.stdin.fileno()):
        raise UsageError("stdin is no terminal: give --username and --password-stdin")

    import getpass

    try:
        user = user or input(f"name for {registry}: ").strip()
        return user, getpass.getpass(f"password of {user}: ")
    except EOFError:
        raise KeyboardInterrupt from None


def _first_line(content: bytes) -> str:
    """The password: without the newline that `echo` and editors put at its end."""
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError("the password on stdin is not UTF-8") from None
