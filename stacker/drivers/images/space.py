"""Is there room for an image? Asked before the first layer is fetched.

What a layer takes once it is unpacked is known only afterwards, but it is never less than what it
takes packed; so an image that is refused here could not have been pulled.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from stacker.base import text
from stacker.base.errors import NoSpace
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest


def check_space(store: Store, layers: Iterable[tuple[Descriptor, Digest]]) -> None:
    """Raise NoSpace when the layers that are not here cannot fit. Blocks."""
    needed = least_needed(store, layers)
    with on_disk("ask for free space"):
        found = os.statvfs(store.places.root)
    free = found.f_bavail * found.f_frsize
    if needed > free:
        raise NoSpace(
            f"it needs at least {text.size(needed)}, and {text.size(free)} are free "
            f"in {store.places.root}"
        )


def least_needed(store: Store, layers: Iterable[tuple[Descriptor, Digest]]) -> int:
    """Bytes that blobs and layers which are not here will take at the least. Blocks."""
    blobs: dict[Digest, int] = {}
    unpacked: dict[Digest, int] = {}
    for descriptor, diff_id in layers:
        if not store.has_blob(descriptor):
            blobs[descriptor.digest] = descriptor.size - _begun(store, descriptor)
        if store.unpacked.get(diff_id) is None:
            unpacked[diff_id] = descriptor.size
    return sum(blobs.values()) + sum(unpacked.values())


def _begun(store: Store, descriptor: Descriptor) -> int:
    """What an interrupted pull has left of a blob."""
    try:
        left = store.places.partial_blob(descriptor.digest).stat().st_size
    except FileNotFoundError:
        return 0
    return min(left, descriptor.size)
