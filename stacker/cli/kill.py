"""``stacker kill``: send a signal to the processes of services."""

from __future__ import annotations

from stacker.cli import progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack
from stacker.cli.selection import find, take_file
from stacker.wire.requests import KillRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "KILL ends them and declares them stopped, as `stop` does."
WAITS = True
EXAMPLES = """examples:
  stacker kill web           end it at once
  stacker kill -s HUP web    have it read its configuration again
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE] [SERVICE…]", help="only these services")
    parser.add_argument("-s", "--signal", default="KILL", metavar="SIGNAL", help="which one (KILL)")
    add_stack(parser)


def run(call: Call) -> int:
    services = tuple(take_file(call, call.arguments.words))
    supervisor = call.connect()
    wanted = KillRequest(services=services, signal=call.arguments.signal)
    progress.follow(supervisor.kill(find(call, supervisor), wanted))
    return Exit.OK
