"""A layer that comes into being here: the blob as it is written, and the form that is mounted.

As `Intake`, but nothing is promised about it beforehand. Blocks.
"""

from __future__ import annotations

import hashlib
import os

from stacker.base import ids
from stacker.base.errors import Corrupt
from stacker.base.writing import write_all
from stacker.drivers.images.layers import LayerBuilder, LayerResult
from stacker.drivers.images.places import SUFFIXES
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.drivers.images.unpacked import discard
from stacker.oci import digest as digests
from stacker.oci import media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.media_types import Compression


class NewLayer:
    """`open`, `write` the blob, `feed` the layer, `finish`, `publish`; `remove` in any case."""

    def __init__(self, store: Store, *, work: str) -> None:
        """`work` is what is being done, for what goes wrong on the disk."""
        self._store = store
        self._work = work
        # what a dead process has left of it cannot be resumed: the name says so
        stem = f"import-{ids.new_id()[:12]}"
        self._blob = store.places.partial / f"{stem}.blob"
        self._image = store.places.partial / f"{stem}{SUFFIXES[store.unpacked.format]}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with on_disk(work):
            self._fd = os.open(self._blob, flags, 0o600)
        self._hasher = hashlib.sha256()
        self._size = 0
        self._compression: Compression = "none"
        self._builder: LayerBuilder | None = None
        self._result: LayerResult | None = None

    def open(self, blob: Compression, *, fed: Compression) -> None:
        """Say how the blob is compressed, and what `feed` is given."""
        self._compression = blob
        self._builder = LayerBuilder(
            self._image, compression=fed, format=self._store.unpacked.format
        )

    def write(self, packed: bytes) -> None:
        self._hasher.update(packed)
        self._size += len(packed)
        with on_disk(self._work):
            write_all(self._fd, packed)

    def feed(self, data: bytes) -> None:
        assert self._builder is not None, "it has been opened"
        self._builder.feed(data)

    def finish(self) -> tuple[Descriptor, Digest]:
        """The layer's descriptor and diff id, once the tar has ended."""
        if self._builder is None:
            raise Corrupt("the archive is empty")

        self._result = self._builder.finish()
        layer = Descriptor(
            media_type=media_types.LAYER_BY_COMPRESSION[self._compression],
            digest=digests.of_hash(self._hasher),
            size=self._size,
        )
        return layer, Digest.parse(self._result.diff_id)

    def publish(self, layer: Descriptor, diff_id: Digest) -> None:
        """Make blob and layer visible."""
        if self._result is None:
            raise Corrupt("the archive is not finished")

        with on_disk(self._work):
            self._store.unpacked.keep(self._result, diff_id=diff_id)
            self._store.unsynced.publish(self._blob, self._store.places.blob(layer.digest))

    def remove(self) -> None:
        """Take away what has not become visible."""
        os.close(self._fd)
        if self._builder is not None and self._result is None:
            self._builder.abort()
        self._blob.unlink(missing_ok=True)
        discard(self._image)
