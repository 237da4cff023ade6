"""Making an image of a root file system's tar: one layer, and a config from `--change`.

The same tar, changes, message and time give the same image, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stacker.drivers.images.new_image import add_image
from stacker.drivers.images.new_layer import NewLayer
from stacker.drivers.images.pins import PinSet
from stacker.drivers.images.sources import Source, compression_of, pieces
from stacker.drivers.images.store import Store
from stacker.drivers.images.workshop import Workshop
from stacker.oci import changes as image_changes
from stacker.oci import derive
from stacker.oci.derive import Making
from stacker.oci.descriptor import Descriptor
from stacker.oci.platform import Platform
from stacker.oci.reference import Reference

MAGIC_LENGTH = 6


async def import_tar(
    workshop: Workshop,
    source: Source,
    *,
    reference: Reference,
    changes: Sequence[str],
    message: str,
    created: datetime,
    platform: Platform,
    pins: PinSet,
) -> Descriptor:
    """Make the image and name it; its entry."""
    making = Making(
        created=created, created_by="stacker import", message=message, changes=tuple(changes)
    )
    image_changes.apply(changes)  # a wrong one is found before the archive is read
    tar = RootTar(workshop.store)
    try:
        async for piece in pieces(workshop, source):
            await workshop.in_thread(tar.feed, piece)
        layer, diff_id = await workshop.in_thread(tar.finish)
        await pins.add((layer.digest, diff_id))
        await workshop.in_thread(tar.publish, layer, diff_id)
    finally:
        await workshop.clean_up(tar.remove)

    config = derive.fresh_config(making, platform=platform, diff_id=diff_id)
    return await add_image(workshop, config, [layer], [diff_id], reference=reference, pins=pins)


class RootTar(NewLayer):
    """The tar on its way in, compressed as it comes. Blocks."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, work="import")
        self._start = b""

    def feed(self, data: bytes) -> None:
        self.write(data)
        if self._builder is None:
            self._start += data
            if len(self._start) < MAGIC_LENGTH:
                return

            data, self._start = self._start, b""
            compression = compression_of(data)
            self.open(compression, fed=compression)
        super().feed(data)
