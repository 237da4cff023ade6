"""``stacker ls``: the stacks, and whether each is as declared."""

from __future__ import annotations

from stacker.base.errors import Unavailable
from stacker.cli import output
from stacker.cli.exits import Exit
from stacker.cli.options import add_format
from stacker.wire.message import encode
from stacker.wire.replies import Stacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.wire.replies import StackRow

EXAMPLES = """examples:
  stacker ls
  stacker ls --format json | jq '.stacks[] | select(.in_sync | not)'
"""

HEADERS = ("NAME", "DECLARED", "SERVICES", "STATE", "FILES")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)


def run(call: Call) -> int:
    try:
        supervisor = call.connect()
    except Unavailable:
        answer = Stacks()  # nothing is supervised: that is an answer
    else:
        answer = supervisor.stacks()
    if call.arguments.format == "json":
        output.json_document(encode(answer))
    else:
        output.table(HEADERS, [_cells(row) for row in answer.stacks])
    return Exit.OK


def _cells(row: StackRow) -> tuple[str, ...]:
    up = sum(service.running >= service.replicas for service in row.services)
    state = "; ".join(row.problems) or ("in sync" if row.in_sync else "changing")
    files = ", ".join(row.files) or row.working_dir
    return (row.name, row.desired, f"{up}/{len(row.services)} up", state, files)
