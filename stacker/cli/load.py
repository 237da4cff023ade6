"""``stacker load``: read images that skopeo, docker save or umoci wrote."""

from __future__ import annotations

import os

from stacker.cli import notes, progress
from stacker.cli.exits import Exit
from stacker.cli.spool import spooled
from stacker.wire.message import decode
from stacker.wire.replies import Images
from stacker.wire.requests import LoadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "Takes an OCI layout, as a directory or a tar, or the archive of `docker save`."
WAITS = True
EXAMPLES = """examples:
  stacker load ./layout
  stacker load busybox.tar
  docker save busybox | stacker load -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="an archive or directory; - is stdin")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def run(call: Call) -> int:
    with spooled(call.arguments.path) as path:
        wanted = LoadRequest(path=os.path.abspath(path))
        operation = call.connect_or_start().load(wanted)
        loaded = decode(
            Images, progress.follow(operation, quiet=call.arguments.quiet), lenient=True
        )
    for row in loaded.images:
        notes.note(f"loaded {', '.join(row.references) or row.id}")
    return Exit.OK
