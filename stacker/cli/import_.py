"""``stacker import``: make an image of one layer from the tar of a root file system."""

from __future__ import annotations

import os

from stacker.cli import output, progress
from stacker.cli.exits import Exit
from stacker.cli.spool import spooled
from stacker.wire.message import decode
from stacker.wire.replies import Images
from stacker.wire.requests import ImportRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "Prints the new image's id."
WAITS = True
EXAMPLES = """examples:
  tar -C rootfs -c . | stacker import --change 'CMD ["sh"]' - local/base:1
  stacker import rootfs.tar.gz local/base:1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="FILE", help="the tar; - is stdin")
    parser.add_argument("reference", metavar="NAME[:TAG]", help="what to call it")
    parser.add_argument(
        "-c",
        "--change",
        action="append",
        default=[],
        metavar="INSTRUCTION",
        help="CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME or "
        "WORKDIR, as in a Dockerfile (repeatable)",
    )


def run(call: Call) -> int:
    arguments = call.arguments
    with spooled(arguments.path) as path:
        wanted = ImportRequest(
            path=os.path.abspath(path),
            reference=arguments.reference,
            changes=tuple(arguments.change),
        )
        operation = call.connect_or_start().import_image(wanted)
        made = decode(Images, progress.follow(operation), lenient=True)
    output.lines(row.id for row in made.images)
    return Exit.OK
