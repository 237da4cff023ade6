"""From the bytes of a layer's blob to one EROFS file, or to a directory, while they arrive.

Called by the pull and load code, in a worker thread (`anyio.to_thread`): `feed` works on the CPU,
in libraries that let go of the GIL for all but the metadata. The layer is whole, and may be
trusted, only after `finish` has given its diff id and the caller has compared it with the image
config's; until then it belongs under a temporary name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from stacker.base.errors import Corrupt
from stacker.drivers.images.directory.body import DirectoryBody
from stacker.drivers.images.layer_body import Body, ErofsBody
from stacker.drivers.images.layer_decompress import DECOMPRESSORS, Compression
from stacker.oci import tar
from stacker.oci.image import LayerFormat

__all__ = ["Compression", "LayerBuilder", "LayerLimits", "LayerResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLimits:
    """What a layer may cost; the defaults let every honest image through."""

    uncompressed: int = 64 << 30
    ratio: int = 200
    """Of plain to compressed bytes; deflate reaches 1032 on zeros, real layers 2 to 10."""
    ratio_from: int = 1 << 30
    """Below this many bytes no ratio is looked at: a layer of one empty disk image is honest."""
    image: int = 64 << 30
    """Bytes of the EROFS file, or of the directory, the holes of sparse files included."""
    tar: tar.Limits = field(default_factory=tar.Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerResult:
    """A finished layer."""

    diff_id: str
    """``sha256:`` and the digest of the uncompressed archive."""
    size: int
    """Bytes of the uncompressed archive."""
    path: Path
    entries: int
    image_size: int
    """Bytes of the EROFS file, or of the directory's files."""
    format: LayerFormat
    implied: bool
    """It has to be looked at together with the layers below it: directories other than the root
    are in it that the archive did not list, whiteouts below the root, or hard links to files that
    it does not have. See `layer_complete.complete_layer`."""


class LayerBuilder:
    """`feed` the blob in pieces, then `finish`; `abort` whenever that does not come about."""

    def __init__(
        self,
        target: Path,
        *,
        compression: Compression,
        limits: LayerLimits | None = None,
        format: LayerFormat = LayerFormat.EROFS,
    ) -> None:
        self._limits = limits or LayerLimits()
        self._target = target
        self._digest = hashlib.sha256()
        self._format = format
        self._body: Body = _BODIES[format](target, self._limits.tar, self._limits.image)
        self._decompressor = DECOMPRESSORS[compression](self._plain)
        self._fed = 0
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the blob. After an exception only `abort` makes sense."""
        self._fed += len(chunk)
        self._decompressor.feed(chunk)

    def finish(self) -> LayerResult:
        """Completes the layer; it is neither synced nor renamed, which is the store's part."""
        self._decompressor.finish()
        digest = self._digest.digest()
        finished = self._body.finish(digest[:16])
        return LayerResult(
            diff_id=f"sha256:{digest.hex()}",
            size=self._size,
            path=self._target,
            entries=finished.entries,
            image_size=finished.size,
            format=self._format,
            implied=finished.implied,
        )

    def abort(self) -> None:
        """Removes what has been written. May be called twice."""
        self._body.discard()

    def _plain(self, piece: bytes) -> None:
        self._size += len(piece)
        limits = self._limits
        if self._size > limits.uncompressed:
            raise Corrupt(f"layer: more than {limits.uncompressed} bytes uncompressed")
        if self._size > limits.ratio_from and self._size > self._fed * limits.ratio:
            raise Corrupt(f"layer: grows more than {limits.ratio} times when decompressed")
        self._digest.update(piece)
        self._body.feed(piece)


_BODIES = {LayerFormat.EROFS: ErofsBody, LayerFormat.DIRECTORY: DirectoryBody}
