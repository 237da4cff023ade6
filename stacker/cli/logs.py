"""``stacker logs``: what containers wrote, from the log files, with or without following."""

from __future__ import annotations

import os
import time

from stacker.base.errors import Unavailable
from stacker.cli import notes, output
from stacker.cli.exits import Exit
from stacker.cli.log_lines import LogPrinter, Style
from stacker.cli.options import UsageError, add_stack, count
from stacker.cli.selection import find, take_file
from stacker.client import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
EXAMPLES = """examples:
  stacker logs                     all that is kept, of all services
  stacker logs -f --tail 20 web    the last 20 lines of one, and what comes
  stacker logs -t --since 10m      of the last ten minutes, with the time of each line
  stacker logs --json | jq .line
"""

GONE_FOR_S = 60.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE] [SERVICE…]", help="only of these")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    parser.add_argument(
        "-n", "--tail", type=_lines, metavar="N", help="only the last N lines of each (all)"
    )
    parser.add_argument("-t", "--timestamps", action="store_true", help="the time of each line")
    parser.add_argument("--since", metavar="TIME", help="only what is newer: 10m, 2h, a date")
    parser.add_argument("--no-log-prefix", action="store_true", help="lines without their source")
    parser.add_argument("--no-color", action="store_true", help="no colours")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_stack(parser, short_file=False)


def run(call: Call) -> int:
    arguments = call.arguments
    services = tuple(take_file(call, arguments.words))
    supervisor = call.connect()
    stack = find(call, supervisor)
    style = Style(
        prefix=not arguments.no_log_prefix,
        timestamps=arguments.timestamps,
        colour=wants_colour() and not arguments.no_color,
        json=arguments.json,
    )
    printer = LogPrinter(style, stack=stack)
    tail: int | None = arguments.tail
    since = _moment(arguments.since)
    while True:
        stream = supervisor.logs(stack, services, tail=tail, since=since, follow=arguments.follow)
        try:
            for record, frames in stream:
                printer.print(record, frames)
                if arguments.follow:
                    output.flush()
        except Unavailable:
            if not arguments.follow or not session.wait_for_start(call.place, GONE_FOR_S):
                raise
            notes.warning("the supervisor was restarted")
            printer.resume()
            tail, since = None, printer.since
            continue
        printer.finish()
        return Exit.OK


def wants_colour() -> bool:
    """Does stdout show colours, and may it?"""
    return output.is_terminal() and not os.environ.get("NO_COLOR")


def _lines(text: str) -> int | None:
    return None if text == "all" else count(text)


def _moment(text: str | None) -> float | None:
    """Read a time: so long ago, seconds since the epoch, or an ISO date."""
    if text is None:
        return None
    try:
        if text[-1:] in _UNITS:
            return time.time() - float(text[:-1]) * _UNITS[text[-1]]
        if text.replace(".", "", 1).isdigit():
            return float(text)
        from datetime import datetime

        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise UsageError(
            f"--since {text!r} is not a time: try 10m, 2h, 2026-01-31T12:00"
        ) from error
