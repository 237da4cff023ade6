"""``stacker image tag``: give an image another name."""

from __future__ import annotations

from stacker.cli.exits import Exit
from stacker.wire.images import TagRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "An image that had the new name until now stays, under its digest."
EXAMPLES = """examples:
  stacker image tag local/shop:build registry.example.com/shop:1.4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="IMAGE", help="a name, digest or id")
    parser.add_argument("targets", nargs="+", metavar="NAME[:TAG]", help="its further names")


def run(call: Call) -> int:
    supervisor = call.connect_or_start()
    for target in call.arguments.targets:
        supervisor.tag_image(TagRequest(source=call.arguments.source, target=target))
    return Exit.OK
