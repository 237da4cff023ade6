"""The image store of one state root: what is here, under which names, and how it becomes visible.

Content first, names last: a manifest is named only when every blob and layer of it is under its
final name, so whoever dies in between leaves content without a name, which `collect` removes.
Two supervisors on one root are kept apart by the supervisor's lock, not here. Methods block.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from stacker.base import clock
from stacker.base.atomic import sweep_unfinished, write_atomic
from stacker.base.errors import Corrupt, StackerError
from stacker.drivers.images import catalog, places, seals
from stacker.drivers.images.catalog import Catalog
from stacker.drivers.images.corrections import Correction, Corrections
from stacker.drivers.images.directory.remove import remove_tree
from stacker.drivers.images.durability import Unsynced, read_boot_id
from stacker.drivers.images.places import Places
from stacker.drivers.images.steps import on_disk, step
from stacker.drivers.images.unpacked import Unpacked
from stacker.drivers.images.used import Used
from stacker.oci import digest as digests
from stacker.oci import documents, image_config
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.fields import DOCUMENT_LIMIT
from stacker.oci.image import Image, Layer, LayerFormat

PARTIAL_KEPT_S = 7 * 24 * 3600


class Store:
    def __init__(
        self,
        root: Path,
        *,
        boot_id: str | None = None,
        format: LayerFormat = LayerFormat.EROFS,
    ) -> None:
        """Open the store, made where it is not there yet; `boot_id` is for tests."""
        self.places = Places(root)
        with on_disk("open image store"):
            self.places.make()
            self.unsynced = Unsynced(
                self.places.unsynced,
                root=root,
                boot_id=boot_id or read_boot_id(),
                beside=(places.RECORD, seals.SUFFIX),
            )
            self.lost = self.unsynced.drop_lost()
            """Files that a power cut took; the images they belonged to are pulled again."""
            self.unpacked = Unpacked(self.places, self.unsynced, format)
            self.corrections = Corrections(self.places, self.unsynced, format)
            self.used = Used(self.places.used)
            self.catalog = Catalog(self.places.layout)
            self.catalog.create()
            self._remove_half_made()

    def has_blob(self, descriptor: Descriptor) -> bool:
        try:
            return os.stat(self.places.blob(descriptor.digest)).st_size == descriptor.size
        except FileNotFoundError:
            return False

    def read_document(self, descriptor: Descriptor) -> bytes:
        """A manifest or config that is here, verified again."""
        if descriptor.size > DOCUMENT_LIMIT:
            raise Corrupt(f"{descriptor.size} bytes are too many for a document")

        with on_disk("read blob"):
            data = self.places.blob(descriptor.digest).read_bytes()
        if digests.of(data, algorithm=descriptor.digest.algorithm) != descriptor.digest:
            raise Corrupt(f"blob {descriptor.digest} in the store is damaged")

        return data

    def drop_damaged(self, descriptor: Descriptor) -> None:
        """Remove a manifest or config that is not what its digest says, so that it is had again."""
        if self.has_blob(descriptor):
            try:
                self.read_document(descriptor)
            except Corrupt:
                self.places.blob(descriptor.digest).unlink(missing_ok=True)

    def add_document(self, data: bytes, digest: Digest) -> None:
        """Keep a manifest or config whose digest has been verified."""
        final = self.places.blob(digest)
        with on_disk("write blob"):
            # what is here may be damaged
            if final.is_file() and final.read_bytes() == data:
                return

            # two pulls may end with the same manifest at the same moment: each writes its own file
            fresh = self.places.partial_document()
            try:
                write_atomic(fresh, data, durable=False)
                self.unsynced.publish(fresh, final)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise

    def name(self, entry: Descriptor) -> None:
        """Make an image visible: the last step of having one."""
        with on_disk("write index.json"):
            self.used.seen((entry.digest,), clock.now().timestamp())
            self.catalog.put(entry)

    def image(self, entry: Descriptor) -> Image | None:
        """Build the image of an entry; None when a part of it is not here, or is no image."""
        try:
            manifest = documents.parse_manifest(
                self.read_document(entry), expected=entry.media_type
            )
            config = image_config.parse(self.read_document(manifest.config))
        except StackerError:
            return None

        layers = self._layers(config.diff_ids)
        if layers is None:
            return None

        return Image(
            reference=catalog.name_of(entry) or str(entry.digest),
            id=str(manifest.config.digest),
            manifest_digest=str(entry.digest),
            config=config,
            layers=layers,
            size_bytes=sum(layer.size_bytes for layer in layers),
            created=config.created,
        )

    def correct(self, diff_ids: Sequence[Digest]) -> None:
        """Work out what the layers of an image need over one another; all of them are here."""
        below: list[Path] = []
        for diff_id, chain in zip(diff_ids, chain_ids(diff_ids), strict=True):
            layer = self.unpacked.get(diff_id)
            if layer is None:
                raise Corrupt(f"layer {diff_id} has gone")

            correction = self.corrections.get(chain) if layer.implied else None
            if layer.implied and correction is None:
                with step(f"layer {diff_id.short}"):
                    correction = self.corrections.make(chain, layer.path, below)
            below.append(layer.path)
            if correction is not None and correction.path is not None:
                below.append(correction.path)

    def _layers(self, diff_ids: Sequence[Digest]) -> tuple[Layer, ...] | None:
        """What is to be mounted, lowest first; None when something of it is missing."""
        layers: list[Layer] = []
        for diff_id, chain in zip(diff_ids, chain_ids(diff_ids), strict=True):
            layer = self.unpacked.get(diff_id)
            if layer is None:
                return None

            name = str(diff_id)
            layers.append(
                Layer(
                    diff_id=name,
                    path=str(layer.path),
                    size_bytes=layer.image_size,
                    format=layer.format,
                )
            )
            correction = self.corrections.get(chain) if layer.implied else Correction(path=None)
            if correction is None:
                return None
            if correction.path is not None:
                layers.append(
                    Layer(
                        diff_id=name,
                        path=str(correction.path),
                        size_bytes=correction.size,
                        format=correction.format,
                    )
                )
        return tuple(layers)

    def settle(self) -> None:
        """Bring all that is visible to the disk, and seal the layers where that can be done."""
        with on_disk("sync images"):
            marks = self.unsynced.pending()
            seals.seal(self.unsynced.named_by(mark) for mark in marks)
            self.unsynced.settle(marks)
            self.catalog.make_durable()

    def _remove_half_made(self) -> None:
        """Of what a dead process has left only the blobs of pulls can be resumed, for a time."""
        sweep_unfinished((self.places.layout, *self.places.records()))
        for path in self.places.partial.iterdir():
            age_s = clock.now().timestamp() - path.stat().st_mtime
            resumable = path.suffix == ".blob" and not path.name.startswith("import-")
            if path.is_dir():
                # a worker of a supervisor that was killed may still be at its end there
                with contextlib.suppress(OSError):
                    remove_tree(path)
            elif not resumable or age_s > PARTIAL_KEPT_S:
                path.unlink()
