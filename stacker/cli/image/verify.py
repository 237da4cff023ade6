"""``stacker image verify``: is every byte still what its digest says?"""

from __future__ import annotations

from stacker.base.text import size
from stacker.cli import notes, output, progress
from stacker.cli.exits import Exit
from stacker.cli.options import add_format
from stacker.wire.images import VerifiedImages, VerifyRequest
from stacker.wire.message import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call
    from stacker.wire.images import VerifiedRow

WAITS = True
HELP = """Blobs are hashed, and the layers that are mounted are compared with what their blobs give.
Ends with 1 where anything differs; --repair then drops it and has it again: blobs from the
registry that the image came from, layers from their blobs. DROPPED are blobs that a registry
has and that no container needs: a layer without its blob is checked where it is sealed by
fs-verity, and not compared elsewhere."""
EXAMPLES = """examples:
  stacker image verify              all images
  stacker image verify redis:7
  stacker image verify --repair redis:7
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("references", nargs="*", metavar="IMAGE", help="only these (all)")
    parser.add_argument(
        "--repair", action="store_true", help="have what is damaged again, where that can be done"
    )
    add_format(parser)


def run(call: Call) -> int:
    arguments = call.arguments
    operation = call.connect_or_start().verify_images(
        VerifyRequest(references=tuple(arguments.references), repair=arguments.repair)
    )
    found = decode(VerifiedImages, progress.follow(operation), lenient=True)
    if arguments.format == "json":
        output.json_document(encode(found))
    else:
        rows = [
            (row.reference, size(row.size_bytes), str(len(row.dropped) or "-"), _state(row))
            for row in found.images
        ]
        output.table(("IMAGE", "READ", "DROPPED", "STATE"), rows)
    for row in found.images:
        for damage in row.damages:
            notes.error(f"{row.reference}: {damage}")
        for damage in row.repaired:
            notes.note(f"{row.reference}: repaired: {damage}")
        for digest in row.not_compared:
            notes.note(f"{row.reference}: layer {digest} could not be compared: no blob, no seal")
    return Exit.ERROR if any(row.damages for row in found.images) else Exit.OK


def _state(row: VerifiedRow) -> str:
    if row.damages:
        return "damaged"
    if row.repaired:
        return "repaired"
    return "not all compared" if row.not_compared else "sound"
