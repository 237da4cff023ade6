"""A layer of our own making: its plain tar goes in, a blob and its EROFS file come out.

As `Intake`, but nothing is promised about it beforehand, and it is compressed here. The bytes of a
blob depend on the tar and the library that compresses, never on the processor or the time: gzip is
zlib's, since isal's output differs between processors. Blocks.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import Protocol

import zstandard

from stacker.base import ids
from stacker.base.errors import Corrupt
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

GZIP_LEVEL = 6
ZSTD_LEVEL = 3
_GZIP_WRAPPER = 16 + zlib.MAX_WBITS


class Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def compressor(compression: Compression) -> Compressor:
    match compression:
        case "gzip":
            return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WRAPPER)
        case "zstd":
            return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()
        case "none":
            return _Plain()


class MadeLayer:
    """`feed` the tar, `finish`, `publish`; `remove` in any case."""

    def __init__(self, store: Store, compression: Compression) -> None:
        self._store = store
        self._compression: Compression = compression
        # the name of an import: what a dead process has left of it cannot be resumed
        stem = f"import-{ids.new_id()[:12]}"
        self._blob = store.places.partial / f"{stem}.blob"
        self._image = store.places.partial / f"{stem}{SUFFIXES[store.unpacked.format]}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with on_disk("make layer"):
            self._fd = os.open(self._blob, flags, 0o600)
        self._compressor = compressor(compression)
        self._hasher = hashlib.sha256()
        self._size = 0
        self._builder = LayerBuilder(self._image, compression="none", format=store.unpacked.format)
        self._result: LayerResult | None = None

    def feed(self, plain: bytes) -> None:
        self._builder.feed(plain)
        self._pack(self._compressor.compress(plain))

    def finish(self) -> tuple[Descriptor, Digest]:
        """The layer's descriptor and diff id, once the tar has ended."""
        self._pack(self._compressor.flush())
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

        with on_disk("make layer"):
            self._store.unpacked.keep(self._result, diff_id=diff_id)
            self._store.unsynced.publish(self._blob, self._store.places.blob(layer.digest))

    def remove(self) -> None:
        """Take away what has not become visible."""
        os.close(self._fd)
        if self._result is None:
            self._builder.abort()
        self._blob.unlink(missing_ok=True)
        discard(self._image)

    def _pack(self, packed: bytes) -> None:
        self._hasher.update(packed)
        self._size += len(packed)
        view = memoryview(packed)
        with on_disk("make layer"):
            while view:
                view = view[os.write(self._fd, view) :]
