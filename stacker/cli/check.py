"""``stacker check``: say what is wrong with a stack file. Needs no supervisor."""

from __future__ import annotations

from stacker.cli import notes, output
from stacker.cli.exits import Exit
from stacker.cli.loading import load
from stacker.cli.options import add_stack
from stacker.cli.selection import take_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

HELP = "Ends with 0 when `up` would take it."
EXAMPLES = """examples:
  stacker check                      the stack file here
  stacker check -f a.yaml -f b.yaml  two files, merged
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE]", help="the stack file")
    add_stack(parser)


def run(call: Call) -> int:
    take_file(call, call.arguments.words)
    loaded = load(call)
    for warning in loaded.warnings:
        notes.warning(warning)
    services = len(loaded.stack.services)
    output.lines([f"{loaded.stack.name}: {services} service{'s' if services != 1 else ''}, good"])
    return Exit.OK
