"""The documents of an image that comes into being here, and its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stacker.drivers.images import catalog
from stacker.drivers.images.pins import PinSet
from stacker.drivers.images.workshop import Workshop
from stacker.oci import derive, media_types
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.reference import Reference


async def add_image(
    workshop: Workshop,
    config: bytes,
    layers: Sequence[Descriptor],
    diff_ids: Sequence[Digest],
    *,
    reference: Reference,
    pins: PinSet,
) -> Descriptor:
    """Name an image whose layers are in the store already; its entry."""
    config_entry = Descriptor.of(media_types.OCI_CONFIG, config)
    manifest = derive.manifest(config_entry, layers)
    entry = replace(
        Descriptor.of(media_types.OCI_MANIFEST, manifest),
        annotations={catalog.REF_NAME: str(reference)},
    )
    await pins.add((config_entry.digest, entry.digest, *chain_ids(diff_ids)))
    store = workshop.store
    await workshop.in_thread(store.correct, diff_ids)
    await workshop.in_thread(store.add_document, config, config_entry.digest)
    await workshop.in_thread(store.add_document, manifest, entry.digest)
    await workshop.in_thread(store.name, entry)
    return entry
