"""``stacker pull``: fetch the images that a stack names."""

from __future__ import annotations

from stacker.cli import progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_json, add_policy, add_stack
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
    add_policy(parser)
    parser.add_argument(
        "--locked", action="store_true", help="the images that `stacker lock` wrote down"
    )
    add_json(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_stack(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    services = tuple(take_file(call, arguments.words))
    wanted = PullRequest(
        declaration=declaration(call, locked=arguments.locked),
        services=services,
        policy=arguments.policy,
    )
    operation = call.connect_or_start().pull(wanted)
    progress.follow(operation, quiet=arguments.quiet, as_json=arguments.json)
    return Exit.OK
