"""Removing images that nothing uses: by name, by age, and for room on the disk. Blocks.

For room, compressed blobs go first, which costs containers nothing; images where the disk is still
too full then.
"""

from __future__ import annotations

from collections.abc import Collection

from stacker.drivers.images.collect import collect, measure
from stacker.drivers.images.spare_blobs import drop_blobs
from stacker.drivers.images.store import Store
from stacker.oci.digest import Digest
from stacker.oci.usage import ImageUsage, Pruned, Removed, Retention, blobs_go, expired, next_to_go


def prune(
    store: Store,
    retention: Retention,
    *,
    pinned: Collection[Digest],
    in_use: Collection[str],
    now: float,
) -> Pruned:
    """Do what the retention says; each look at the disk is followed by at most one removal."""
    usage = measure(store, in_use=in_use)
    store.used.seen(
        (Digest.parse(image.manifest_digest) for image in usage.images if image.in_use), now
    )
    images = [_remove(store, *each) for each in expired(usage.images, retention, now=now)]
    collected = collect(store, pinned=pinned, in_use=in_use)
    files, size_bytes = collected.files, collected.size_bytes
    dropped = None
    if cause := blobs_go(measure(store, in_use=in_use), retention):
        dropped = drop_blobs(store, pinned=pinned, cause=cause)
    if dropped is not None:
        files += dropped.blobs
        size_bytes += dropped.size_bytes
    reached = False
    while going := next_to_go(measure(store, in_use=in_use), retention, reached=reached):
        reached = True
        images.append(_remove(store, *going))
        collected = collect(store, pinned=pinned, in_use=in_use)
        files += collected.files
        size_bytes += collected.size_bytes
    return Pruned(images=tuple(images), dropped=dropped, files=files, size_bytes=size_bytes)


def _remove(store: Store, image: ImageUsage, cause: str) -> Removed:
    store.catalog.remove(lambda entry: str(entry.digest) == image.manifest_digest)
    return Removed(references=image.references, manifest_digest=image.manifest_digest, cause=cause)
