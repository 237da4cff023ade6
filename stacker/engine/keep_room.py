"""Images that nothing uses, removed by age and when the disk fills, so that no disk fills for ever.

Started by the engine. Only what came from a registry goes, as it can be had again; never what a
container was made from, or a stack that is declared names. Compressed blobs go before any image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio

from stacker.base.errors import Invalid, StackerError
from stacker.base.text import size
from stacker.engine.stack_loop import StackLoop
from stacker.engine.tools import Tools
from stacker.oci.reference import Reference
from stacker.oci.usage import BlobPolicy, Retention

EVERY_S = 3600.0
RETENTION = Retention(
    unused_for_s=30 * 24 * 3600,
    full_at=0.9,
    until=0.8,
    only_from_registries=True,
    blobs=BlobPolicy.FOR_ROOM,
)


async def keep_room(tools: Tools, in_use: Callable[[], frozenset[str]]) -> None:
    """Prune now and then; a failure is told, and is no reason to stop trying."""
    while True:
        await anyio.sleep(EVERY_S)
        try:
            pruned = await tools.images.prune(RETENTION, in_use=in_use)
        except StackerError as error:
            tools.bus.emit("warning", f"remove unused images: {error}")
            continue
        for image in pruned.images:
            names = ", ".join(image.references)
            tools.bus.emit("image.removed", f"{names}: {image.cause}", cause=image.cause)
        if (dropped := pruned.dropped) is not None:
            tools.bus.emit(
                "image.dropped",
                f"{dropped.blobs} compressed layers ({size(dropped.size_bytes)}): {dropped.cause}; "
                "push and save fetch them again",
                cause=dropped.cause,
                blobs=dropped.blobs,
                size_bytes=dropped.size_bytes,
            )


def images_in_use(tools: Tools, loops: Iterable[StackLoop]) -> frozenset[str]:
    """The ids of the images of all containers, running or not, the names in declarations, and the
    ids of what somebody has mounted.

    A container keeps its image until it is replaced, so this is also what a rollback needs.
    """
    ids = {record.image_id for record in tools.records.all()}
    ids |= tools.image_mounts.ids()
    for loop in loops:
        for name in loop.image_names():
            try:
                full = Reference.parse(name)
                ids |= {str(full), str(full.digest or full)}
            except Invalid:
                ids.add(name)  # an id, which is as good
    return frozenset(ids)
