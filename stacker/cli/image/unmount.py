"""``stacker image unmount``: take mounts of images away."""

from __future__ import annotations

from stacker.cli import output
from stacker.cli.exits import Exit
from stacker.wire.images import UnmountRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
EXAMPLES = """examples:
  stacker image unmount redis:7
  stacker image unmount $(stacker image mount)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a name, digest, id, or where it is mounted"
    )


def run(call: Call) -> int:
    supervisor = call.connect_or_start()
    for image in call.arguments.images:
        output.lines(supervisor.unmount_image(UnmountRequest(image=image)).paths)
    return Exit.OK
