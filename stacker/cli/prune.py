"""``stacker prune``: images that nothing uses go."""

from __future__ import annotations

from stacker.base.text import size
from stacker.cli import notes, output, progress
from stacker.cli.exits import Exit
from stacker.wire.disk import PrunedReply, PruneRequest
from stacker.wire.message import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from stacker.cli.options import Call

WAITS = True
HELP = """Without options: images whose tag has moved on, and content that no image needs. What a
container was made of, what a declared stack names, and what is mounted, always stays. Volumes and
containers are not touched. With --blobs also the compressed layers of images that came from a
registry: containers need the unpacked ones only, and push and save fetch them again."""
EXAMPLES = """examples:
  stacker prune
  stacker prune --unused-for 30d    also what nothing has used for a month
  stacker prune --all               also everything that nothing uses now
  stacker prune --blobs             also compressed layers that a registry has
"""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="all that nothing uses now")
    parser.add_argument(
        "--unused-for", type=_age, metavar="AGE", help="what nothing has used for so long: 12h, 30d"
    )
    parser.add_argument(
        "--blobs", action="store_true", help="also compressed layers that can be fetched again"
    )


def run(call: Call) -> int:
    arguments = call.arguments
    wanted = PruneRequest(
        unused_for_s=0.0 if arguments.all else arguments.unused_for, blobs=arguments.blobs
    )
    operation = call.connect_or_start().prune(wanted)
    pruned = decode(PrunedReply, progress.follow(operation), lenient=True)
    output.lines(f"{', '.join(row.references)}: {row.cause}" for row in pruned.images)
    if arguments.blobs:
        notes.note(
            f"{pruned.dropped_blobs} compressed layers ({size(pruned.dropped_bytes)}) dropped; "
            "push and save fetch them again"
        )
    notes.note(f"{size(pruned.size_bytes)} are free again")
    return Exit.OK


def _age(text: str) -> float:
    """Read ``30d`` or a number of seconds."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise ValueError(text)
    return float(int(number) * _UNITS[unit])
