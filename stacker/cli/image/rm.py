"""``stacker image rm``: take names away."""

from __future__ import annotations

from stacker.base.text import size
from stacker.cli import notes, output, progress
from stacker.cli.exits import Exit
from stacker.wire.images import Removed, RemoveRequest
from stacker.wire.message import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """A digest or an id takes all names of the image. What no other image needs is removed with
the last name; an image that a container was made of is refused."""
EXAMPLES = """examples:
  stacker image rm redis:6 shop:old
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("references", nargs="+", metavar="IMAGE", help="a name, digest or id")
    parser.add_argument("-f", "--force", action="store_true", help="though a container uses it")


def run(call: Call) -> int:
    arguments = call.arguments
    wanted = RemoveRequest(references=tuple(arguments.references), force=arguments.force)
    removed = decode(
        Removed, progress.follow(call.connect_or_start().remove_images(wanted)), lenient=True
    )
    output.lines(removed.names)
    if removed.size_bytes:
        notes.note(f"{size(removed.size_bytes)} are free again")
    return Exit.OK
