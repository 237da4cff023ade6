"""``stacker image save``: images as files for other hosts and other tools."""

from __future__ import annotations

import os

from stacker.cli import progress, receive
from stacker.cli.exits import Exit
from stacker.cli.options import UsageError
from stacker.wire.images import CompleteRequest, LayoutRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """The same images give the same bytes. What is saved is what is here; blobs of it that have
been dropped are fetched again from where they came, and that is told."""
EXAMPLES = """examples:
  stacker image save -o shop.tar shop:1 redis:7
  stacker image save shop:1 | ssh other stacker load -
  stacker image save --form docker shop:1 | docker load
  stacker image save --form layout -o images/ shop:1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("references", nargs="+", metavar="IMAGE", help="a name, digest or id")
    parser.add_argument(
        "-o", "--output", default="-", metavar="PATH", help="where to (-, which is stdout)"
    )
    parser.add_argument(
        "--form",
        choices=("oci", "docker", "layout"),
        default="oci",
        help="oci: the tar of an OCI layout; docker: for `docker load`; layout: a folder, which "
        "may have images already (oci)",
    )


def run(call: Call) -> int:
    arguments = call.arguments
    references = tuple(arguments.references)
    if arguments.form == "layout" and arguments.output == "-":
        raise UsageError("a layout is a folder: say which with -o")

    supervisor = call.connect_or_start()
    progress.follow(supervisor.complete(CompleteRequest(references=references)))
    if arguments.form == "layout":
        wanted = LayoutRequest(references=references, path=os.path.abspath(arguments.output))
        progress.follow(supervisor.write_layout(wanted))
        return Exit.OK

    receive.into(arguments.output, lambda: supervisor.archive(references, form=arguments.form))
    return Exit.OK
