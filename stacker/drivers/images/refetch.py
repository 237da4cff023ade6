"""Blobs that have to go out as they came, and are here no more: fetched again from where they came.

Containers need the layers only; the blobs may have been dropped for the room they take. Called by a
push, and before images are saved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stacker.base.errors import NotFound, StackerError
from stacker.drivers.images import catalog
from stacker.drivers.images.download import Download
from stacker.drivers.images.registry.registries import Registries
from stacker.drivers.images.steps import step
from stacker.drivers.images.store import Store
from stacker.drivers.images.workshop import Workshop
from stacker.oci import documents
from stacker.oci.descriptor import Descriptor
from stacker.oci.progress import PullProgress, PullState
from stacker.oci.reference import Reference


def dropped(store: Store, entry: Descriptor) -> tuple[Descriptor, ...]:
    """The blobs of an image's layers that are not here. Blocks."""
    try:
        manifest = documents.parse_manifest(store.read_document(entry), expected=entry.media_type)
    except StackerError:
        return ()  # it is no image, or damaged: whoever reads it says so
    return tuple(layer for layer in manifest.layers if not store.has_blob(layer))


def origin(store: Store, entry: Descriptor) -> Reference:
    """Where an image was pulled from, under this name or another that it has here. Blocks."""
    for other in (entry, *store.catalog.entries()):
        if other.digest == entry.digest and catalog.SOURCE_DIGEST in other.annotations:
            return Reference.parse(catalog.name_of(other))
    raise NotFound("blobs of it are not here any more, and it came from no registry")


async def refetch(
    workshop: Workshop,
    registries: Registries,
    blobs: Sequence[Descriptor],
    *,
    source: Reference,
    report: Callable[[PullProgress], None],
) -> None:
    """Have blobs of an image whose layers are here; the caller has pinned them."""
    async with registries.sources(source) as sources:
        download = Download(workshop, sources, source, patience=registries.patience, report=report)
        for blob in blobs:
            with step(f"blob {blob.digest.short}"):
                await download.have(blob, diff_id=None)
        download.tell(PullState.DONE)
