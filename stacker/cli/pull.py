"""``stacker pull``: fetch the images that a stack names."""

from __future__ import annotations

from stacker.cli import progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack
from stacker.cli.selection import declaration, take_file
from stacker.wire.requests import PullRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "What runs is left alone; `up` then recreates what has a newer image."
WAITS = True
EXAMPLES = """examples:
  stacker pull                       all images of the stack file here
  stacker pull --policy missing db   only what is not here yet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE] [SERVICE…]", help="only of these")
    parser.add_argument(
        "--policy", choices=("always", "missing"), default="always", help="(always)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_stack(parser)


def run(call: Call) -> int:
    services = tuple(take_file(call, call.arguments.words))
    wanted = PullRequest(
        declaration=declaration(call), services=services, policy=call.arguments.policy
    )
    progress.follow(call.connect_or_start().pull(wanted), quiet=call.arguments.quiet)
    return Exit.OK
