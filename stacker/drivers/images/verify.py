"""Looking through an image: is every byte still what its digest says?

A layer's file that the kernel watches over is read, and that is all. Another is compared with what
its blob gives when it is made anew: it has no digest of its own, but making it is a function of the
archive's bytes, as making corrections is one of the layers. Where the blob has been dropped, the
seal is all that there is. Blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from stacker.base.errors import StackerError
from stacker.drivers.images.layer_complete import complete_layer
from stacker.drivers.images.layers import LayerResult
from stacker.drivers.images.refetch import fetchable
from stacker.drivers.images.repair import Repair
from stacker.drivers.images.seals import is_intact
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.drivers.images.tree_archive import archive
from stacker.drivers.images.unpacked import discard
from stacker.oci import digest as digests
from stacker.oci import documents, image_config
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.detail import Verified
from stacker.oci.digest import Digest
from stacker.oci.media_types import compression_of
from stacker.oci.tree import TreeOptions

READ_SIZE = 1 << 20


def steps(
    store: Store, entry: Descriptor, look: Look, repair: Repair | None = None
) -> Iterator[None]:
    """Read all of it, a blob or a layer a step; what is wrong is noted, not raised.

    With `repair`, what is wrong is dropped where it can be had again.
    """
    if not look.passes(
        f"manifest {entry.digest}",
        partial(look.blob, entry),
        repair and partial(repair.document, entry),
    ):
        return
    yield

    manifest = documents.parse_manifest(store.read_document(entry), expected=entry.media_type)
    if not look.passes(
        f"config {manifest.config.digest}",
        partial(look.blob, manifest.config),
        repair and partial(repair.document, manifest.config),
    ):
        return

    config = image_config.parse(store.read_document(manifest.config))
    chains = chain_ids(config.diff_ids)
    below: list[Path] = []
    for descriptor, diff_id, chain in zip(manifest.layers, config.diff_ids, chains, strict=True):
        yield
        what = f"layer {descriptor.digest}"
        look.passes(
            what,
            partial(look.layer, descriptor, diff_id),
            repair and partial(repair.layer, descriptor, diff_id),
        )
        layer = store.unpacked.get(diff_id)
        if layer is None:
            continue  # noted, as are the corrections of all above it
        if layer.implied:
            yield
            look.passes(
                f"corrections of {what}",
                partial(look.corrections, chain, layer.path, tuple(below)),
                repair and partial(repair.corrections, chain),
            )
        below.append(layer.path)
        correction = store.corrections.get(chain)
        if correction is not None and correction.path is not None:
            below.append(correction.path)


class Look:
    """What has been read, and what was wrong with it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fetchable = fetchable(store)
        self._size = 0
        self._damages: list[str] = []
        self._repaired: list[str] = []
        self._dropped: list[str] = []
        self._not_compared: list[str] = []

    def passes(
        self,
        what: str,
        check: Callable[[], str | None],
        repair: Callable[[], bool] | None,
    ) -> bool:
        """Carry out one check; what it says, or raises, is noted, and repaired."""
        try:
            wrong = check()
        except StackerError as error:
            wrong = error.message
        if wrong is None:
            return True

        repaired = repair is not None and repair()
        (self._repaired if repaired else self._damages).append(f"{what}: {wrong}")
        return False

    def found(self, reference: str) -> Verified:
        return Verified(
            reference=reference,
            size_bytes=self._size,
            damages=tuple(self._damages),
            repaired=tuple(self._repaired),
            dropped=tuple(self._dropped),
            not_compared=tuple(self._not_compared),
        )

    def blob(
        self, descriptor: Descriptor, feed: Callable[[bytes], None] | None = None
    ) -> str | None:
        """Read a blob, and tell what is wrong with it."""
        hasher = descriptor.digest.hasher()
        size = 0
        with on_disk("read"), self._store.places.blob(descriptor.digest).open("rb") as stream:
            while piece := stream.read(READ_SIZE):
                hasher.update(piece)
                size += len(piece)
                if feed is not None:
                    feed(piece)
        self._size += size
        if size != descriptor.size:
            return f"it has {size} bytes, not {descriptor.size}"
        actual = digests.of_hash(hasher)
        return None if actual == descriptor.digest else f"its digest is {actual}"

    def layer(self, descriptor: Descriptor, diff_id: Digest) -> str | None:
        """Read the layer, or make it anew from its blob and compare."""
        kept = self._store.unpacked.get(diff_id)
        sealed = kept is not None and is_intact(kept.path)
        dropped = kept is not None and self._is_dropped(descriptor)
        if dropped:
            self._dropped.append(str(descriptor.digest))
            if not sealed:
                self._not_compared.append(str(descriptor.digest))
                return None
        if kept is not None and sealed:
            self._hash(kept.path)
            return None if dropped else self.blob(descriptor)

        made: LayerResult | None = None
        builder = self._store.unpacked.builder(
            diff_id,
            compression=compression_of(descriptor.media_type),
            format=kept.format if kept is not None else None,
        )
        try:
            wrong = self.blob(descriptor, builder.feed)
            if wrong is not None:
                return wrong

            made = builder.finish()
            if made.diff_id != str(diff_id):
                return f"its content is {made.diff_id}, the config says {diff_id}"

            if kept is None:
                return "what is mounted of it is not here"

            same = self._hash(made.path) == self._hash(kept.path)
            return None if same else "what is mounted differs from what the blob gives"
        finally:
            builder.abort()
            if made is not None:
                discard(made.path)

    def corrections(self, chain: Digest, layer: Path, below: Sequence[Path]) -> str | None:
        """Read what a layer needs over those below it, or work it out anew and compare."""
        kept = self._store.corrections.get(chain)
        if kept is None:
            return "they are not here"
        if kept.path is not None and is_intact(kept.path):
            self._hash(kept.path)
            return None

        fresh = self._store.places.partial_correction(kept.format)
        try:
            needed = complete_layer(layer, below, fresh, format=kept.format) is not None
            same = needed is (kept.path is not None)
            if same and kept.path is not None:
                same = self._hash(fresh) == self._hash(kept.path)
            return None if same else "they differ from what the layers give"
        finally:
            discard(fresh)

    def _is_dropped(self, descriptor: Descriptor) -> bool:
        """Whether a blob is gone, and a push or a save would fetch it again."""
        path = self._store.places.blob(descriptor.digest)
        return descriptor.digest in self._fetchable and not path.exists()

    def _hash(self, path: Path) -> bytes:
        """Of the file, or of the archive that the directory would make."""
        if path.is_dir():
            hasher = hashlib.sha256()
            for piece in archive(path, TreeOptions(overlay=True)):
                hasher.update(piece)
                self._size += len(piece)
            return hasher.digest()

        with on_disk("read layer"), path.open("rb") as stream:
            hashed = hashlib.file_digest(stream, "sha256").digest()
            self._size += stream.tell()
        return hashed
