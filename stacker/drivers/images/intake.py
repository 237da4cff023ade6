"""One blob on its way in: written, hashed, and made into a layer, all in one pass.

Called by `pull` and `load`, in worker threads, one call at a time. Bytes lie under a temporary
name until size, digest and diff id agree; after an interruption they stay there, so that the next
attempt asks for the rest only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from stacker.base.errors import Corrupt, NoSpace
from stacker.base.writing import write_all
from stacker.drivers.images.layers import LayerBuilder
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.oci import digest as digests
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.media_types import compression_of

READ_SIZE = 1024 * 1024
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Intake:
    """Feed it from `position` on, then `finish`; or `abandon`."""

    def __init__(self, store: Store, descriptor: Descriptor, *, diff_id: Digest | None) -> None:
        """`diff_id` is that of the layer to be made, or None for a blob that is only kept."""
        self._store = store
        self._descriptor = descriptor
        self._diff_id = diff_id
        self._path = store.places.partial_blob(descriptor.digest)
        self._fd = -1
        self._builder: LayerBuilder | None = None
        self._keep_partial = False
        self.position = 0
        self.resumed = False
        """Whether bytes of an earlier attempt are part of it."""
        self._hasher = descriptor.digest.hasher()

    def open(self, *, resume: bool = True) -> None:
        """Begin, with what an earlier attempt has left, or to leave nothing to a later one."""
        with on_disk("open blob"):
            self._fd = os.open(self._path, _FLAGS, 0o600)
            left = os.fstat(self._fd).st_size
            if not resume or left > self._descriptor.size:
                os.ftruncate(self._fd, left := 0)
        self._keep_partial = resume
        self.resumed = left > 0
        self._begin()
        for piece in self._left_over():
            self._take(piece)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self.position + len(piece) > self._descriptor.size:
            raise Corrupt(f"it is longer than the {self._descriptor.size} bytes it should have")

        with on_disk("write blob"):
            write_all(self._fd, piece)
        self._take(piece)

    def finish(self) -> None:
        """Verify, and make blob and layer visible."""
        size = self._descriptor.size
        if self.position != size:
            raise Corrupt(f"it ends after {self.position} of {size} bytes")
        actual = digests.of_hash(self._hasher)
        if actual != self._descriptor.digest:
            raise Corrupt(f"its digest is {actual}, not {self._descriptor.digest}")

        if self._builder is not None and self._diff_id is not None:
            result, self._builder = self._builder.finish(), None
            self._store.unpacked.keep(result, diff_id=self._diff_id)
        with on_disk("keep blob"):
            os.close(self._fd)
            self._fd = -1
            self._store.unsynced.publish(self._path, self._store.places.blob(actual))

    def restart(self) -> None:
        """Throw all bytes away and begin at zero."""
        with on_disk("restart blob"):
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        self._abort_layer()
        self._begin()
        self.resumed = False

    def abandon(self, error: BaseException) -> None:
        """Stop: keep the bytes for another attempt, unless they are wrong or in the way."""
        self._abort_layer()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        useless = isinstance(error, Corrupt | NoSpace) or self.position == 0
        if useless or not self._keep_partial:
            self._path.unlink(missing_ok=True)

    def _begin(self) -> None:
        self.position = 0
        self._hasher = self._descriptor.digest.hasher()
        if self._diff_id is not None:
            compression = compression_of(self._descriptor.media_type)
            self._builder = self._store.unpacked.builder(self._diff_id, compression=compression)

    def _take(self, piece: bytes) -> None:
        self.position += len(piece)
        self._hasher.update(piece)
        if self._builder is not None:
            self._builder.feed(piece)

    def _left_over(self) -> Iterator[bytes]:
        with on_disk("read partial blob"):
            while piece := os.read(self._fd, READ_SIZE):
                yield piece

    def _abort_layer(self) -> None:
        if self._builder is not None:
            self._builder.abort()
            self._builder = None
