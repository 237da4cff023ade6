"""Dropping what is damaged and can be had again, so that a pull, or the next start, brings it.

Called by `verify` for what it has found wrong. A blob comes again from where its image came, a
layer is made of its blob, corrections of the layers. What containers have mounted stays readable:
an EROFS file for as long as it is mounted; a directory that an image in use needs is not touched.
Blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from stacker.drivers.images import catalog
from stacker.drivers.images.collect import needed_by, remove_content
from stacker.drivers.images.refetch import fetchable
from stacker.drivers.images.seals import SUFFIX
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest


class Repair:
    """Each method tells whether what it was asked about will be had again."""

    def __init__(self, store: Store, entry: Descriptor, *, in_use: Collection[str]) -> None:
        """`in_use` are ids of images, of containers among others."""
        self._store = store
        self._pulled = catalog.origin_of(entry) is not None
        self._fetchable = fetchable(store)
        self._needed = needed_by(store, in_use)

    def document(self, document: Descriptor) -> bool:
        """A manifest or a config."""
        if self._pulled:
            self._remove(self._store.places.blob(document.digest))
        return self._pulled

    def layer(self, blob: Descriptor, diff_id: Digest) -> bool:
        """The one of the two that is damaged, or missing: the layer, where the blob is sound."""
        sound = self._is_sound(blob)
        if not sound and blob.digest not in self._fetchable:
            return False
        if not sound:
            self._remove(self._store.places.blob(blob.digest))
            return True

        kept = self._store.unpacked.get(diff_id)
        record = self._store.places.layer_record(diff_id)
        return kept is None or self._drop(kept.path, record, diff_id)

    def corrections(self, chain: Digest) -> bool:
        kept = self._store.corrections.get(chain)
        record = self._store.places.correction_record(chain)
        if kept is not None and kept.path is not None:
            return self._drop(kept.path, record, chain)
        self._remove(record)
        return True

    def _drop(self, path: Path, record: Path, digest: Digest) -> bool:
        if path.is_dir() and digest in self._needed:
            return False  # what is mounted of it would vanish from under the containers
        self._remove(record, path, path.with_suffix(SUFFIX))
        return True

    def _is_sound(self, blob: Descriptor) -> bool:
        try:
            with self._store.places.blob(blob.digest).open("rb") as stream:
                found = hashlib.file_digest(stream, blob.digest.algorithm)
        except OSError:
            return False
        return found.hexdigest() == blob.digest.hex

    def _remove(self, *paths: Path) -> None:
        with on_disk("drop what is damaged"):
            for path in paths:
                remove_content(self._store, path)
