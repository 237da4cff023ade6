"""``stacker outdated``: which images have a newer version at their registry."""

from __future__ import annotations

from stacker.cli import notes, output, progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_format, add_stack
from stacker.cli.selection import declaration, take_file
from stacker.wire.images import Outdated, OutdatedRequest
from stacker.wire.message import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.wire.images import FreshnessRow

WAITS = True
HELP = """Registries are asked for digests; nothing is fetched. Ends with 2 where something is
outdated or not here, and with 1 where a registry could not say."""
EXAMPLES = """examples:
  stacker outdated && echo nothing to do
  stacker outdated --all
  stacker outdated --format json | jq '.images[] | select(.state == "outdated")'
"""

HEADERS = ("IMAGE", "HERE", "LATEST", "STATE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[FILE]", help="the stack file")
    parser.add_argument("-a", "--all", action="store_true", help="all images that are here")
    add_stack(parser)
    add_format(parser)


def run(call: Call) -> int:
    take_file(call, call.arguments.words)
    declared = None if call.arguments.all else declaration(call)
    operation = call.connect_or_start().outdated(OutdatedRequest(declaration=declared))
    found = decode(Outdated, progress.follow(operation), lenient=True)
    if call.arguments.format == "json":
        output.json_document(encode(found))
    else:
        output.table(HEADERS, [_cells(row) for row in found.images])
    for row in found.images:
        if row.note:
            notes.error(f"{row.reference}: {row.note}")
    states = {row.state for row in found.images}
    if "unknown" in states:
        return Exit.ERROR
    return Exit.PENDING if states & {"outdated", "missing"} else Exit.OK


def _cells(row: FreshnessRow) -> tuple[str, ...]:
    return (row.reference, _short(row.here), _short(row.latest), row.state)


def _short(digest: str | None) -> str:
    return digest.partition(":")[2][:12] if digest else "-"
