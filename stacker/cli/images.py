"""``stacker images``: the images that the store has."""

from __future__ import annotations

from stacker.base.text import size
from stacker.cli import output
from stacker.cli.exits import Exit
from stacker.cli.options import add_format
from stacker.wire.message import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.wire.replies import ImageRow

EXAMPLES = """examples:
  stacker images
  stacker images --format json | jq '.images[].references'
"""

HEADERS = ("IMAGE", "ID", "PLATFORM", "CREATED", "SIZE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="print ids only")
    add_format(parser)


def run(call: Call) -> int:
    answer = call.connect_or_start().images()
    rows = answer.images
    if call.arguments.quiet:
        output.lines(row.id for row in rows)
    elif call.arguments.format == "json":
        output.json_document(encode(answer))
    else:
        cells = [_cells(row, reference) for row in rows for reference in row.references or ("-",)]
        output.table(HEADERS, sorted(cells))
    return Exit.OK


def _cells(row: ImageRow, reference: str) -> tuple[str, ...]:
    created = row.created[:10] if row.created else "-"
    short = row.id.removeprefix("sha256:")[:12]
    return (reference, short, row.platform, created, size(row.size_bytes))
