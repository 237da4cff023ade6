"""``stacker ui``: hand over to the dashboard, which is a program of its own."""

from __future__ import annotations

import os
import sys

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
    supervisor = call.connect()  # says what is missing while the terminal is still whole
    # -P: what lies in the caller's directory is not ours to run
    command = [sys.executable, "-P", "-m", "stacker.tui", supervisor.path]
    if call.project:
        command.append(call.project)
    sys.stdout.flush()
    os.execv(command[0], command)
