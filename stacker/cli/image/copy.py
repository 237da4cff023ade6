"""``stacker image copy``: from one registry to another, byte for byte."""

from __future__ import annotations

from stacker.cli import progress
from stacker.cli.exits import Exit
from stacker.cli.image.push import show
from stacker.cli.options import add_json
from stacker.wire.images import CopyRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = "Nothing of it is kept here. All platforms of an index are copied, unless one is named."
EXAMPLES = """examples:
  stacker image copy docker.io/library/redis:7 registry.example.com/redis:7
  stacker image copy --referrers ghcr.io/example/shop:1.4 registry.example.com/shop:1.4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a name in a registry")
    parser.add_argument("target", metavar="TARGET", help="its name in the other")
    parser.add_argument("--platform", metavar="OS/ARCHITECTURE", help="only this one of an index")
    parser.add_argument(
        "--referrers", action="store_true", help="what refers to it too: signatures and the like"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_json(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    wanted = CopyRequest(
        source=arguments.source,
        target=arguments.target,
        platform=arguments.platform,
        with_referrers=arguments.referrers,
    )
    operation = call.connect_or_start().copy(wanted)
    show(progress.follow(operation, quiet=arguments.quiet, as_json=arguments.json), arguments.json)
    return Exit.OK
