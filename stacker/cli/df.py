"""``stacker df``: what takes the disk."""

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
    from stacker.wire.disk import DiskUsage

WAITS = True
HELP = """RECLAIMABLE is what `stacker prune --all` gives back; of volumes, what belongs to no stack
that is declared. A layer that several images share is counted once. `compressed` is that part
of images that no container reads and a registry has: `stacker prune --blobs` drops it."""
EXAMPLES = """examples:
  stacker df
  stacker df -v
  stacker df --format json | jq '.volumes[] | select(.in_use | not).name'
"""

TOTALS = ("TYPE", "COUNT", "IN USE", "SIZE", "RECLAIMABLE")
IMAGES = ("IMAGE", "SIZE", "SHARED", "UNIQUE", "IN USE")
OTHERS = ("NAME", "STACK", "SIZE", "IN USE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="each of them")
    add_format(parser)


def run(call: Call) -> int:
    found = call.connect_or_start().disk_usage()
    if call.arguments.format == "json":
        output.json_document(encode(found))
        return Exit.OK
    output.table(TOTALS, _totals(found))
    if call.arguments.verbose:
        _each(found)
    return Exit.OK


def _totals(found: DiskUsage) -> list[tuple[str, ...]]:
    unused = [image for image in found.images if not image.in_use]
    loose = [volume for volume in found.volumes if not volume.in_use]
    return [
        (
            "images",
            str(len(found.images)),
            str(len(found.images) - len(unused)),
            size(found.images_bytes),
            size(found.reclaimable_bytes),
        ),
        ("compressed", "-", "-", "-", size(found.droppable_bytes)),
        ("downloads", "-", "-", size(found.partial_bytes), "-"),
        (
            "containers",
            str(len(found.containers)),
            str(sum(container.running for container in found.containers)),
            size(sum(container.size_bytes for container in found.containers)),
            "-",
        ),
        (
            "volumes",
            str(len(found.volumes)),
            str(len(found.volumes) - len(loose)),
            size(sum(volume.size_bytes for volume in found.volumes)),
            size(sum(volume.size_bytes for volume in loose)),
        ),
    ]


def _each(found: DiskUsage) -> None:
    images = [
        (
            ", ".join(image.references),
            size(image.size_bytes),
            size(image.shared_bytes),
            size(image.size_bytes - image.shared_bytes),
            _yes(image.in_use),
        )
        for image in found.images
    ]
    containers = [
        (each.name, each.stack, size(each.size_bytes), _yes(each.running))
        for each in found.containers
    ]
    volumes = [
        (each.name, each.stack or "-", size(each.size_bytes), _yes(each.in_use))
        for each in found.volumes
    ]
    for headers, rows in ((IMAGES, images), (OTHERS, containers), (OTHERS, volumes)):
        if rows:
            output.lines([""])
            output.table(headers, sorted(rows))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
