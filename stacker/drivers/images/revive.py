"""Making the layers of an image again out of blobs that are all here, without any registry.

Called before a pull: after a power cut, after the form of layers has changed, and for what another
tool has put into the layout, everything may be here but the layers.
"""

from __future__ import annotations

from functools import partial

from stacker.base.errors import Corrupt, StackerError
from stacker.base.parallel import run_all
from stacker.drivers.images.pins import PinSet
from stacker.drivers.images.store import Store
from stacker.drivers.images.unpack import unpack
from stacker.drivers.images.workshop import Workshop
from stacker.oci import documents, image_config
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest


async def revive(workshop: Workshop, entry: Descriptor, pins: PinSet) -> bool:
    """Make what is missing; False when more is missing than layers."""
    found = await workshop.in_thread(_parts, workshop.store, entry)
    if found is None:
        return False

    blobs, diff_ids = found
    await pins.add((*(blob.digest for blob in blobs), *diff_ids, *chain_ids(diff_ids)))
    store = workshop.store
    layers = tuple(zip(blobs, diff_ids, strict=True))
    # a blob may have been dropped that no layer has to be made of
    lacking = [each for each in layers if store.unpacked.get(each[1]) is None]
    if not all(store.has_blob(blob) for blob, _ in lacking):
        return False

    try:
        await run_all(partial(_layer, workshop, blob, diff_id) for blob, diff_id in lacking)
    except Corrupt:
        return False  # a pull brings it again, or says what is wrong with it

    await workshop.in_thread(workshop.store.correct, diff_ids)
    return True


async def _layer(workshop: Workshop, blob: Descriptor, diff_id: Digest) -> None:
    async with workshop.blob_locks.hold(str(blob.digest)):
        if workshop.store.unpacked.get(diff_id) is None:
            await workshop.in_thread(unpack, workshop.store, blob, diff_id)


def _parts(
    store: Store, entry: Descriptor
) -> tuple[tuple[Descriptor, ...], tuple[Digest, ...]] | None:
    try:
        manifest = documents.parse_manifest(store.read_document(entry), expected=entry.media_type)
        config = image_config.parse(store.read_document(manifest.config))
    except StackerError:
        return None

    if len(manifest.layers) != len(config.diff_ids):
        return None
    return manifest.layers, config.diff_ids
