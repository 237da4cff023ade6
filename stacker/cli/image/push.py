"""``stacker image push``: send an image to a registry."""

from __future__ import annotations

from stacker.cli import output, progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_json
from stacker.wire.images import PushRequest, SentImage
from stacker.wire.message import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """Blobs that the registry has, in this repository or in another, are not sent again. Prints
the name with its digest."""
EXAMPLES = """examples:
  stacker image push registry.example.com/shop:1.4
  stacker image push shop:build registry.example.com/shop:1.4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="IMAGE", help="what it is called here")
    parser.add_argument("target", nargs="?", metavar="NAME[:TAG]", help="and there (the same)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_json(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    wanted = PushRequest(reference=arguments.reference, target=arguments.target)
    operation = call.connect_or_start().push(wanted)
    show(progress.follow(operation, quiet=arguments.quiet, as_json=arguments.json), arguments.json)
    return Exit.OK


def show(result: dict[str, object], as_json: bool) -> None:
    """Print where an image is now."""
    sent = decode(SentImage, result, lenient=True)
    if as_json:
        output.json_line(result)
    else:
        output.lines([f"{sent.reference}@{sent.digest}"])
