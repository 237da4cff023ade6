"""``stacker image mount``: look into an image with the tools of the host."""

from __future__ import annotations

from stacker.cli import output
from stacker.cli.exits import Exit
from stacker.wire.images import MountRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """Prints where it is, below the run directory, which only root may enter. It stays until
`stacker image unmount`, or until the machine goes down; without IMAGE all mounts are listed."""
EXAMPLES = """examples:
  ls $(stacker image mount redis:7)/etc
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("references", nargs="*", metavar="IMAGE", help="a name, digest or id")


def run(call: Call) -> int:
    supervisor = call.connect_or_start()
    if not call.arguments.references:
        output.lines(supervisor.mounted_images().paths)
        return Exit.OK
    for reference in call.arguments.references:
        output.lines(supervisor.mount_image(MountRequest(reference=reference)).paths)
    return Exit.OK
