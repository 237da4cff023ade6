"""``stacker image export``: the tree that a container of an image starts with, as one tar."""

from __future__ import annotations

from stacker.cli import receive
from stacker.cli.exits import Exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = "Layers are merged, and the config is left out: `stacker image save` keeps both."
EXAMPLES = """examples:
  stacker image export redis:7 | tar -t
  stacker image export -o rootfs.tar redis:7
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="IMAGE", help="a name, digest or id")
    parser.add_argument(
        "-o", "--output", default="-", metavar="PATH", help="where to (-, which is stdout)"
    )


def run(call: Call) -> int:
    arguments = call.arguments
    supervisor = call.connect_or_start()
    receive.into(arguments.output, lambda: supervisor.rootfs(arguments.reference))
    return Exit.OK
