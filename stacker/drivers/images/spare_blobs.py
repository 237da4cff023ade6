"""Compressed blobs of layers that are here unpacked: dropped for room, fetched again when needed.

A container mounts the layer and never reads the blob; a push or a save does, and fetches it from
the registry that it came from (`refetch`). An image that came from no registry keeps all of its
blobs. Blocks; the caller sees to it that nothing is pinned or named meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stacker.base.errors import StackerError
from stacker.drivers.images import catalog
from stacker.drivers.images.reach import Reach
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.oci import documents, image_config
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.spare import BlobUse, spare
from stacker.oci.usage import Dropped


def drop_blobs(store: Store, *, pinned: Collection[Digest], cause: str) -> Dropped | None:
    """Remove them; None when there is nothing to remove.

    No order is forced on the disk: a blob that is back after a power cut is whole, and goes again.
    """
    sizes = spare_blobs(store, pinned=pinned)
    with on_disk("drop blobs"):
        for digest in sizes:
            store.places.blob(digest).unlink(missing_ok=True)
    if not sizes:
        return None
    return Dropped(blobs=len(sizes), size_bytes=sum(sizes.values()), cause=cause)


def spare_blobs(store: Store, *, pinned: Collection[Digest] = ()) -> dict[Digest, int]:
    """Those that may go, with their sizes in bytes."""
    kept = set(pinned)
    uses: list[BlobUse] = []
    for entry in store.catalog.entries():
        # by names, not by images: each name must be able to lose the others
        found = _uses(store, entry) if catalog.origin_of(entry) is not None else None
        if found is None:
            kept |= Reach(store, entry).digests
        else:
            kept |= found[0]
            uses += found[1]
    return dict(_sizes(store, spare(uses, kept=kept)))


def _uses(store: Store, entry: Descriptor) -> tuple[set[Digest], list[BlobUse]] | None:
    """The documents of an image, and what it says of its layers; None where it cannot be read."""
    try:
        manifest = documents.parse_manifest(store.read_document(entry), expected=entry.media_type)
        diff_ids = image_config.parse(store.read_document(manifest.config)).diff_ids
    except StackerError:
        return None
    if len(diff_ids) != len(manifest.layers):
        return None

    uses = [
        BlobUse(blob=layer.digest, layer_here=_is_safe(store, diff_id))
        for layer, diff_id in zip(manifest.layers, diff_ids, strict=True)
    ]
    return {entry.digest, manifest.config.digest}, uses


def _is_safe(store: Store, diff_id: Digest) -> bool:
    """Whether a layer is here and on the disk: its blob is what it could be made of again."""
    layer = store.unpacked.get(diff_id)
    return layer is not None and not store.unsynced.is_marked(layer.path)


def _sizes(store: Store, blobs: Collection[Digest]) -> Iterator[tuple[Digest, int]]:
    for digest in blobs:
        path = store.places.blob(digest)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue  # it has been dropped already
        if not store.unsynced.is_marked(path):
            yield digest, size
