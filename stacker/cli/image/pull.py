"""``stacker image pull``: fetch images, apart from any stack."""

from __future__ import annotations

from stacker.cli import output, progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_json, add_policy
from stacker.wire.images import PullImagesRequest
from stacker.wire.message import decode
from stacker.wire.replies import Images

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """Prints the ids. What an interrupted pull has left is resumed, layers that other images
have are not fetched again."""
EXAMPLES = """examples:
  stacker image pull redis:7 ghcr.io/example/shop:1.4
  stacker image pull --platform linux/arm64 redis:7
  stacker image pull --policy daily redis:7     ask the registry once a day
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("references", nargs="+", metavar="IMAGE", help="a name, with tag or digest")
    parser.add_argument(
        "--platform", metavar="OS/ARCHITECTURE", help="for another machine than this one"
    )
    add_policy(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_json(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    wanted = PullImagesRequest(
        references=tuple(arguments.references),
        platform=arguments.platform,
        policy=arguments.policy,
    )
    operation = call.connect_or_start().pull_images(wanted)
    result = progress.follow(operation, quiet=arguments.quiet, as_json=arguments.json)
    if not arguments.json:
        output.lines(row.id for row in decode(Images, result, lenient=True).images)
    return Exit.OK
