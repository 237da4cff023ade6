"""``stacker load``: read images that skopeo, docker save or umoci wrote."""

from __future__ import annotations

import os
import sys

from stacker.cli import notes, progress
from stacker.cli.exits import Exit
from stacker.cli.options import UsageError
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
  docker save busybox | stacker load
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", metavar="PATH", help="an archive or directory; - or none is stdin"
    )
    parser.add_argument("-i", "--input", metavar="PATH", help="the same, as docker has it")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def run(call: Call) -> int:
    arguments = call.arguments
    if arguments.path and arguments.input:
        raise UsageError(f"two archives: {arguments.path} and {arguments.input}")
    given = arguments.path or arguments.input
    if given is None and sys.stdin.isatty():
        raise UsageError("no archive is named, and stdin is a terminal")
    with spooled(given or "-") as path:
        wanted = LoadRequest(path=os.path.abspath(path))
        operation = call.connect_or_start().load(wanted)
        loaded = decode(Images, progress.follow(operation, quiet=arguments.quiet), lenient=True)
    for row in loaded.images:
        notes.note(f"loaded {', '.join(row.references) or row.id}")
    return Exit.OK
