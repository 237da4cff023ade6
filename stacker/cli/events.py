"""``stacker events``: what has happened, and with ``-f`` what happens."""

from __future__ import annotations

from stacker.base.errors import Unavailable
from stacker.cli import notes, output
from stacker.cli.exits import Exit
from stacker.cli.options import add_stack
from stacker.cli.selection import find_or_all
from stacker.client import session
from stacker.wire.message import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.wire.replies import EventLine

WAITS = True
EXAMPLES = """examples:
  stacker events             what is kept of the past
  stacker events -f          what happens from now on
  stacker events -f --json | jq 'select(.kind == "container.exit")'
"""

GONE_FOR_S = 60.0
QUIET = ("image.progress",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    parser.add_argument("--since", type=int, metavar="SEQ", help="only events after this number")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_stack(parser, short_file=False)


def run(call: Call) -> int:
    arguments = call.arguments
    supervisor = call.connect()
    stack = find_or_all(call, supervisor) if call.project or call.files else None
    since: int | None = arguments.since
    while True:
        try:
            for event in supervisor.events(since=since, follow=arguments.follow, stack=stack):
                since = event.seq
                _print(event, as_json=arguments.json)
                if arguments.follow:
                    output.flush()
        except Unavailable:
            if not arguments.follow or not session.wait_for_start(call.place, GONE_FOR_S):
                raise
            notes.warning("the supervisor was restarted")
        else:
            return Exit.OK


def _print(event: EventLine, *, as_json: bool) -> None:
    if as_json:
        output.json_line(encode(event))
    elif event.kind not in QUIET:
        from datetime import datetime

        time = datetime.fromtimestamp(event.time).astimezone()
        what = " ".join(word for word in (event.stack, event.container) if word)
        output.lines([f"{time:%Y-%m-%d %H:%M:%S} {event.kind:18} {what}: {event.message}"])
