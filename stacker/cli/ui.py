"""``stacker ui``: hand over to the dashboard, which is a program of its own."""

from __future__ import annotations

from stacker.cli.exits import Exit
from stacker.cli.options import add_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

EXAMPLES = """examples:
  stacker ui            all stacks
  stacker ui -p shop    one of them
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_stack(parser)


def run(call: Call) -> int:
    supervisor = call.connect()
    from stacker.tui.app import run as run_dashboard

    run_dashboard(supervisor, stack=call.project)
    return Exit.OK
