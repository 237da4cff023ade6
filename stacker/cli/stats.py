"""``stacker stats``: what containers use; two samples make a rate."""

from __future__ import annotations

import time

from stacker.base.errors import Unavailable
from stacker.base.text import clean, size
from stacker.cli import output
from stacker.cli.exits import Exit
from stacker.cli.options import add_format, add_stack
from stacker.cli.selection import find_or_all, insist_declared, take_file
from stacker.client import session
from stacker.wire.message import encode
from stacker.wire.replies import Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.client.api import Supervisor
    from stacker.wire.replies import StatsRow

WAITS = True
EXAMPLES = """examples:
  stacker stats                          a live table
  stacker stats web db                   of two services
  stacker stats --no-stream --format json
"""

HEADERS = ("NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS")
EVERY_S = 1.0
GONE_FOR_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE] [SERVICE…]", help="only these services")
    parser.add_argument("--no-stream", action="store_true", help="one table, then end")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for ever")
    add_stack(parser)
    add_format(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    services = take_file(call, list(arguments.words))
    supervisor = call.connect()
    stack = find_or_all(call, supervisor)
    insist_declared(supervisor, set(services))
    before: dict[str, StatsRow] = {}
    first = True
    while True:
        rows = _sample(call, supervisor, stack, services, patient=not arguments.no_stream)
        if arguments.json:
            for row in rows:
                output.json_line(encode(row))
        elif arguments.format == "json":
            output.json_document(encode(Stats(rows=rows)))
        elif not (first and arguments.no_stream):
            _show(rows, before, live=not arguments.no_stream and output.is_terminal())
        if arguments.no_stream and (arguments.json or arguments.format == "json" or not first):
            return Exit.OK
        before = {row.container_id: row for row in rows}
        first = False
        time.sleep(EVERY_S)


def _sample(
    call: Call, supervisor: Supervisor, stack: str | None, services: list[str], *, patient: bool
) -> tuple[StatsRow, ...]:
    try:
        rows = supervisor.stats(stack).rows
    except Unavailable:
        # it is being restarted: who looks on goes on with the next one
        if not patient or not session.wait_for_start(call.place, GONE_FOR_S):
            raise
        rows = supervisor.stats(stack).rows
    return tuple(row for row in rows if not services or row.service in services)


def _show(rows: tuple[StatsRow, ...], before: dict[str, StatsRow], *, live: bool) -> None:
    if live:
        output.clear_screen()
    output.table(HEADERS, [_cells(row, before.get(row.container_id)) for row in rows])
    output.flush()


def _cells(row: StatsRow, before: StatsRow | None) -> tuple[str, ...]:
    share = None
    if row.memory_bytes is not None and row.memory_limit_bytes:
        share = 100 * row.memory_bytes / row.memory_limit_bytes
    return (
        clean(row.container),
        _percent(cpu_percent(row, before)),
        f"{size(row.memory_bytes)} / {size(row.memory_limit_bytes)}",
        _percent(share),
        f"{size(row.received_bytes)} / {size(row.sent_bytes)}",
        f"{size(row.read_bytes)} / {size(row.write_bytes)}",
        "-" if row.pids is None else str(row.pids),
    )


def cpu_percent(row: StatsRow, before: StatsRow | None) -> float | None:
    """Return what a container used between two samples, 100 for one core."""
    if before is None or row.cpu_ns is None or before.cpu_ns is None or row.at <= before.at:
        return None
    return max(0.0, (row.cpu_ns - before.cpu_ns) / (row.at - before.at) / 1e7)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}%"
