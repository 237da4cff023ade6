"""``stacker down``: stop and remove what belongs to a stack."""

from __future__ import annotations

from stacker.base.errors import NotFound, Unavailable
from stacker.cli import notes, progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack, add_timeout
from stacker.cli.selection import find, take_file
from stacker.client import session
from stacker.wire.message import decode
from stacker.wire.replies import DownReply
from stacker.wire.requests import DownRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "Named volumes and images stay, unless -v asks for the volumes to go too."
WAITS = True
EXAMPLES = """examples:
  stacker down               the stack that is declared here
  stacker down -v -p shop    and its named volumes
"""

SUPERVISOR_END_S = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="?", metavar="FILE", help="the stack file")
    parser.add_argument("-v", "--volumes", action="store_true", help="remove named volumes too")
    parser.add_argument("--remove-orphans", action="store_true", help="accepted; always done")
    add_timeout(parser)
    add_stack(parser)


def run(call: Call) -> int:
    if call.arguments.words:
        take_file(call, [_as_path(call.arguments.words)])
    try:
        supervisor = call.connect()
    except Unavailable:
        notes.note("no supervisor runs: nothing is up")
        return Exit.OK
    try:
        stack = find(call, supervisor)
    except NotFound as error:
        notes.note(f"{error}: nothing to take down")
        return Exit.OK
    wanted = DownRequest(volumes=call.arguments.volumes, timeout_s=call.arguments.timeout)
    ended = decode(DownReply, progress.follow(supervisor.down(stack, wanted)), lenient=True)
    if ended.supervisor_ends and not session.wait_for_end(call.place, timeout_s=SUPERVISOR_END_S):
        notes.warning(f"the stack is down, but the supervisor still runs; see {call.place.log}")
    return Exit.OK


def _as_path(word: str) -> str:
    return word if "/" in word else f"./{word}"
