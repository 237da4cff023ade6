"""``stacker logout``: forget what ``stacker login`` has kept."""

from __future__ import annotations

from stacker.cli import notes, progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_registry
from stacker.wire.requests import LogoutRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = "What docker, podman and credential helpers keep is theirs, and stays."
EXAMPLES = """examples:
  stacker logout ghcr.io
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_registry(parser)


def run(call: Call) -> int:
    wanted = LogoutRequest(registry=call.arguments.registry, stack=call.arguments.project)
    progress.follow(call.connect_or_start().logout(wanted), quiet=True)
    notes.note(f"logged out from {call.arguments.registry}")
    return Exit.OK
