"""``stacker image commit``: what a container has changed, as a layer over its image."""

from __future__ import annotations

from stacker.cli import making, output, progress
from stacker.cli.exits import Exit
from stacker.wire.images import CommitRequest
from stacker.wire.message import decode
from stacker.wire.replies import Images

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """What is in volumes, binds, configs and secrets is not part of it. The container's
processes stand still while its files are read. Prints the id."""
EXAMPLES = """examples:
  stacker image commit shop-web-1 shop:debug
  stacker image commit -p shop --no-pause --cmd '["sh"]' -m 'with strace' web shop:debug
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("container", metavar="CONTAINER", help="its name, id or service")
    parser.add_argument("reference", metavar="NAME[:TAG]", help="what to call the image")
    parser.add_argument("-p", "--project-name", dest="project", metavar="NAME", help="its stack")
    parser.add_argument("--no-pause", action="store_true", help="let it run meanwhile")
    making.add_arguments(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    wanted = CommitRequest(
        container=arguments.container,
        stack=call.project,
        pause=not arguments.no_pause,
        making=making.body(arguments),
    )
    operation = call.connect().commit(wanted)
    made = decode(Images, progress.follow(operation), lenient=True)
    output.lines(row.id for row in made.images)
    return Exit.OK
