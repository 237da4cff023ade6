"""``stacker restart``: stop services and start them again, with the same containers."""

from __future__ import annotations

from stacker.cli import progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack, add_timeout
from stacker.cli.selection import find, take_file
from stacker.wire.requests import ServicesRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "Containers are kept; `up --force-recreate` makes them anew."
WAITS = True
EXAMPLES = """examples:
  stacker restart web
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE] [SERVICE…]", help="only these services")
    add_timeout(parser)
    add_stack(parser)


def run(call: Call) -> int:
    services = tuple(take_file(call, call.arguments.words))
    supervisor = call.connect()
    wanted = ServicesRequest(services=services, timeout_s=call.arguments.timeout)
    progress.follow(supervisor.restart(find(call, supervisor), wanted))
    return Exit.OK
