"""A layer of our own making: its plain tar goes in, and is compressed here.

The bytes of the blob depend on the tar and the library that compresses, never on the processor or
the time: gzip is zlib's, since isal's output differs between processors. Blocks.
"""

from __future__ import annotations

import zlib
from typing import Protocol

import zstandard

from stacker.drivers.images.new_layer import NewLayer
from stacker.drivers.images.store import Store
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


class MadeLayer(NewLayer):
    """`feed` the tar, `finish`, `publish`; `remove` in any case."""

    def __init__(self, store: Store, compression: Compression) -> None:
        super().__init__(store, work="make layer")
        self._compressor = compressor(compression)
        self.open(compression, fed="none")

    def feed(self, data: bytes) -> None:
        super().feed(data)
        self.write(self._compressor.compress(data))

    def finish(self) -> tuple[Descriptor, Digest]:
        self.write(self._compressor.flush())
        return super().finish()
