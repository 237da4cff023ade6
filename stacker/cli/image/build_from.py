"""``stacker image build-from``: an image of one layer, of what is on disk."""

from __future__ import annotations

import os

from stacker.cli import making, output, progress
from stacker.cli.exits import Exit
from stacker.cli.options import UsageError
from stacker.cli.spool import spooled
from stacker.wire.images import BuildRequest
from stacker.wire.message import decode
from stacker.wire.replies import Images

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """The same tree gives the same image, byte for byte, where $SOURCE_DATE_EPOCH says the time:
no file is newer than it then. Names are sorted, a tar's headers are written anew. Prints the id."""
EXAMPLES = """examples:
  stacker image build-from rootfs/ local/base:1 --cmd '["sh"]' --env PATH=/bin
  SOURCE_DATE_EPOCH=0 stacker image build-from --owner 0:0 site/ local/site:1
  debootstrap … | stacker image build-from - local/debian:12
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a directory, or a tar; - is stdin's")
    parser.add_argument("reference", metavar="NAME[:TAG]", help="what to call it")
    parser.add_argument(
        "--platform", metavar="OS/ARCHITECTURE", help="what it runs on (this machine)"
    )
    parser.add_argument(
        "--owner", metavar="UID:GID", default="", help="whose all files are (who they are of)"
    )
    making.add_arguments(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    with spooled(arguments.source) as path:
        wanted = BuildRequest(
            source=os.path.abspath(path),
            making=making.body(arguments),
            platform=arguments.platform,
            owner=_owner(arguments.owner),
        )
        operation = call.connect_or_start().build_image(wanted)
        made = decode(Images, progress.follow(operation), lenient=True)
    output.lines(row.id for row in made.images)
    return Exit.OK


def _owner(text: str) -> tuple[int, ...]:
    if not text:
        return ()
    parts = text.split(":")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"--owner {text}: it should be UID:GID, in numbers")
    return tuple(map(int, parts))
