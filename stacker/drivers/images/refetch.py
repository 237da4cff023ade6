"""Blobs that have to go out as they came, and are here no more: fetched again from where they came.

Containers need the layers only; the blobs may have been dropped for the room they take. Called by a
push, and before images are saved or built upon.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from stacker.base.errors import NotFound, StackerError
from stacker.drivers.images import catalog
from stacker.drivers.images.catalog import Origin
from stacker.drivers.images.download import Download
from stacker.drivers.images.registry.registries import Registries
from stacker.drivers.images.steps import step
from stacker.drivers.images.store import Store
from stacker.drivers.images.workshop import Workshop
from stacker.oci import documents
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.progress import PullProgress, PullState
from stacker.oci.reference import Reference

BringBack = Callable[[Descriptor], Awaitable[tuple[Reference, ...]]]
"""`bring_back` for one store and its registries: what those are given who know no registry."""


async def bring_back(
    workshop: Workshop,
    registries: Registries,
    entry: Descriptor,
    *,
    report: Callable[[PullProgress], None] = lambda _: None,
) -> tuple[Reference, ...]:
    """Have all blobs of an image, which the caller has pinned; from where they were fetched."""
    store = workshop.store
    missing = await workshop.in_thread(dropped, store, entry)
    sources = await workshop.in_thread(origins, store, entry, missing)
    for source, blobs in sources.items():
        await refetch(workshop, registries, blobs, source=source, report=report)
    return tuple(source.reference for source in sources)


def dropped(store: Store, entry: Descriptor) -> tuple[Descriptor, ...]:
    """The blobs of an image's layers that are not here. Blocks."""
    return tuple(layer for layer in _layers(store, entry) if not store.has_blob(layer))


def origins(
    store: Store, entry: Descriptor, blobs: Sequence[Descriptor]
) -> dict[Origin, list[Descriptor]]:
    """Where blobs of an image can be fetched, each from one place. Blocks.

    From where the image came, under this name or another that it has here; or from where an image
    came that has the same layer, as the base of one that was made here.
    """
    if not blobs:
        return {}

    places: dict[Digest, Origin] = {}
    # the sort is stable: first this very entry, then the image's other names, then other images
    others = sorted(store.catalog.entries(), key=lambda other: other.digest != entry.digest)
    for origin, layer in _pulled(store, (entry, *others)):
        places.setdefault(layer.digest, origin)

    found: dict[Origin, list[Descriptor]] = {}
    for blob in blobs:
        if blob.digest not in places:
            raise NotFound(
                f"blob {blob.digest.short} is not here any more, and it came from no registry"
            )
        found.setdefault(places[blob.digest], []).append(blob)
    return found


def fetchable(store: Store) -> frozenset[Digest]:
    """The blobs that `origins` has a place for. Blocks."""
    return frozenset(layer.digest for _, layer in _pulled(store, store.catalog.entries()))


async def refetch(
    workshop: Workshop,
    registries: Registries,
    blobs: Sequence[Descriptor],
    *,
    source: Origin,
    report: Callable[[PullProgress], None],
) -> None:
    """Have blobs of an image whose layers are here; the caller has pinned them."""
    name = source.reference
    async with registries.sources(name, stack=source.stack) as sources:
        download = Download(workshop, sources, name, patience=registries.patience, report=report)
        for blob in blobs:
            with step(f"blob {blob.digest.short}"):
                await download.have(blob, diff_id=None)
        download.tell(PullState.DONE)


def _pulled(store: Store, entries: Sequence[Descriptor]) -> Iterator[tuple[Origin, Descriptor]]:
    """The layers of those that came from a registry, each with its image's place there."""
    for entry in entries:
        if (origin := catalog.origin_of(entry)) is not None:
            for layer in _layers(store, entry):
                yield origin, layer


def _layers(store: Store, entry: Descriptor) -> tuple[Descriptor, ...]:
    try:
        data = store.read_document(entry)
        return documents.parse_manifest(data, expected=entry.media_type).layers
    except StackerError:
        return ()  # it is no image, or damaged: whoever reads it says so
