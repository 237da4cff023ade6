"""``stacker ps``: the containers of the stack that is meant here, or of all stacks."""

from __future__ import annotations

from stacker.base.errors import Unavailable
from stacker.base.text import span
from stacker.cli import output
from stacker.cli.exits import Exit
from stacker.cli.options import add_format, add_stack
from stacker.cli.selection import insist_declared, take_file
from stacker.wire.replies import Containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.wire.replies import ContainerRow, PortRow

HELP = "Where no stack is declared from this directory, those of all stacks are listed."
EXAMPLES = """examples:
  stacker ps                 what runs here, or should
  stacker ps -a              also what ended with 0 or was stopped
  stacker ps -p shop --format json
"""

PLAIN = (
    {"words": (), "all": False, "quiet": False, "format": "table"},
    {"-a": "all", "--all": "all", "-q": "quiet", "--quiet": "quiet"},
)
"""What the arguments are without a parser: defaults, and the flags that may be given."""

HEADERS = ("NAME", "IMAGE", "SERVICE", "STATUS", "PORTS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE] [SERVICE…]", help="only these")
    parser.add_argument(
        "-a", "--all", action="store_true", help="also those that ended with 0 or were stopped"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print ids only")
    add_stack(parser)
    add_format(parser)


def run(call: Call) -> int:
    services = take_file(call, list(call.arguments.words))
    answer = _fetch(call, services)
    now, rows = answer.now, list(answer.containers)
    if not call.arguments.all:
        rows = [row for row in rows if not is_over(row)]
    if services:
        rows = [row for row in rows if row.service in services]
    if call.arguments.quiet:
        output.lines(row.id for row in rows)
    elif call.arguments.format == "json":
        from stacker.wire.message import encode

        output.json_document(encode(Containers(now=now, containers=tuple(rows))))
    else:
        output.table(HEADERS, [_cells(row, now) for row in rows])
    return Exit.OK


def is_over(row: ContainerRow) -> bool:
    """It does not run, and nobody wants it to."""
    if row.status != "exited" or row.next_at is not None or row.problem:
        return False
    return row.exit_code == 0 or row.stopped_by_user


def _fetch(call: Call, services: list[str]) -> Containers:
    try:
        supervisor = call.connect()
    except Unavailable:
        return Containers(now=0.0)  # nothing is supervised: that is an answer
    answer = supervisor.containers(
        call.project, files=call.absolute_files(), working_dir=call.working_dir
    )
    insist_declared(supervisor, set(services) - {row.service for row in answer.containers})
    return answer


def _cells(row: ContainerRow, now: float) -> tuple[str, ...]:
    return (row.name, row.image, row.service, status_text(row, now), ports_text(row.ports))


def status_text(row: ContainerRow, now: float) -> str:
    """Say how a container is, in the words of ``docker ps``."""
    if row.status == "running":
        text = f"Up {span(now - (row.started_at or now))}"
        if row.health != "none":
            text += f" ({row.health})"
    elif row.status == "exited":
        code = "?" if row.exit_code is None else row.exit_code
        text = f"Exited ({code}) {span(now - (row.exited_at or now))} ago"
        if row.oom:
            text += ", out of memory"
    else:
        text = row.status.capitalize()
    back_off = back_off_text(row.next_at, now)
    return "; ".join(part for part in (text, row.problem, back_off, row.note) if part)


def back_off_text(next_at: float | None, now: float) -> str:
    """``restarts in 3.2 s``; nothing for what is not in back-off."""
    return "" if next_at is None else f"restarts in {max(0.0, next_at - now):.1f} s"


def ports_text(ports: tuple[PortRow, ...]) -> str:
    """Write published ports as ``docker ps`` does."""
    return ", ".join(
        f"{port.host_ip}:{port.published}->{port.target}/{port.protocol}" for port in ports
    )
