"""``stacker info``: which supervisor answers, and where it keeps things."""

from __future__ import annotations

from stacker import __version__
from stacker.cli import notes, output
from stacker.cli.exits import Exit
from stacker.cli.options import add_format
from stacker.wire.message import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

EXAMPLES = """examples:
  stacker info
  stacker info --format json | jq .pid
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)


def run(call: Call) -> int:
    supervisor = call.connect()
    found = encode(supervisor.info())
    if call.arguments.format == "json":
        output.json_document({"client_version": __version__, **found})
        return Exit.OK
    output.table(("WHAT", "VALUE"), [(name, str(value)) for name, value in found.items()])
    if supervisor.differs:
        notes.warning(f"this client is of version {__version__}")
    return Exit.OK
