"""Making a layer from a blob that is in the store already.

After a power cut, an import of a layout, or a layer that was removed alone. Blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

from stacker.base.errors import Corrupt
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.oci import digest as digests
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.media_types import compression_of

READ_SIZE = 1024 * 1024


def unpack(store: Store, descriptor: Descriptor, diff_id: Digest) -> None:
    """Read the blob once, verifying it again, and make its layer visible.

    A blob that is damaged is removed, so that the next pull fetches it.
    """
    builder = store.unpacked.builder(diff_id, compression=compression_of(descriptor.media_type))
    hasher = descriptor.digest.hasher()
    try:
        for piece in _pieces(store, descriptor):
            hasher.update(piece)
            builder.feed(piece)
        if digests.of_hash(hasher) != descriptor.digest:
            raise Corrupt(f"blob {descriptor.digest} in the store was damaged")

        result = builder.finish()
    except BaseException as error:
        builder.abort()
        if isinstance(error, Corrupt):
            _remove_if_damaged(store, descriptor)
        raise

    store.unpacked.keep(result, diff_id=diff_id)


def _pieces(store: Store, descriptor: Descriptor) -> Iterator[bytes]:
    with on_disk("read blob"), store.places.blob(descriptor.digest).open("rb") as stream:
        while piece := stream.read(READ_SIZE):
            yield piece


def _remove_if_damaged(store: Store, descriptor: Descriptor) -> None:
    """Damage mostly shows in the decompressor first; whose fault it was, the digest says."""
    hasher = descriptor.digest.hasher()
    for piece in _pieces(store, descriptor):
        hasher.update(piece)
    if digests.of_hash(hasher) != descriptor.digest:
        with on_disk("remove damaged blob"):
            store.places.blob(descriptor.digest).unlink(missing_ok=True)
