"""``stacker start``: run services that were stopped."""

from __future__ import annotations

from stacker.cli import progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack
from stacker.cli.selection import find, take_file
from stacker.wire.requests import ServicesRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "Services that have ended, or were stopped, run again."
WAITS = True
EXAMPLES = """examples:
  stacker start              all services of the stack here
  stacker start db
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE] [SERVICE…]", help="only these services")
    add_stack(parser)


def run(call: Call) -> int:
    services = tuple(take_file(call, call.arguments.words))
    supervisor = call.connect()
    wanted = ServicesRequest(services=services)
    progress.follow(supervisor.start(find(call, supervisor), wanted))
    return Exit.OK
