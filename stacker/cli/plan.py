"""``stacker plan``: what ``up`` would do, and why; nothing is done."""

from __future__ import annotations

from stacker.cli import notes, output
from stacker.cli.exits import Exit
from stacker.cli.options import add_format, add_stack
from stacker.cli.selection import declaration, take_file
from stacker.wire.message import encode
from stacker.wire.requests import PlanRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "Ends with 0 when there is nothing to do, with 2 when there is, with 1 on an error."
EXAMPLES = """examples:
  stacker plan                     for the stack file here
  stacker plan shop.yaml; echo $?
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE]", help="the stack file")
    add_stack(parser)
    add_format(parser)


def run(call: Call) -> int:
    take_file(call, call.arguments.words)
    plan = call.connect_or_start().plan(PlanRequest(declaration=declaration(call)))
    if call.arguments.format == "json":
        output.json_document(encode(plan))
    else:
        output.document(plan.text)
    for problem in plan.problems:
        notes.warning(problem)
    return Exit.PENDING if plan.steps or plan.problems else Exit.OK
