"""``stacker image history``: how an image was made, newest first."""

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
    from stacker.wire.images import HistoryRow

HELP = "SIZE is that of the layer's blob; a line without a layer changed the config only."
EXAMPLES = """examples:
  stacker image history redis:7
  stacker image history --no-trunc --format json redis:7
"""

HEADERS = ("LAYER", "CREATED", "CREATED BY", "SIZE", "COMMENT")
LONGEST = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="IMAGE", help="a name, digest or id")
    parser.add_argument("--no-trunc", action="store_true", help="do not shorten what made a layer")
    add_format(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    answer = call.connect_or_start().image_history(arguments.reference)
    if arguments.format == "json":
        output.json_document(encode(answer))
    else:
        longest = None if arguments.no_trunc else LONGEST
        output.table(HEADERS, [_cells(row, longest) for row in reversed(answer.rows)])
    return Exit.OK


def _cells(row: HistoryRow, longest: int | None) -> tuple[str, ...]:
    maker = " ".join(row.created_by.split())
    if longest is not None and len(maker) > longest:
        maker = maker[: longest - 1] + "…"
    layer = row.layer.partition(":")[2][:12] if row.layer else "-"
    created = row.created[:10] if row.created else "-"
    return (layer, created, maker, size(row.size_bytes) if row.layer else "-", row.comment)
