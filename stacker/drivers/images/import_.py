"""Making an image of a root file system's tar: one layer, and a config from `--change`.

The same tar, changes, message and time give the same image, byte for byte.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime

from stacker.base import canonical_json, ids
from stacker.base.errors import Corrupt
from stacker.drivers.images import catalog
from stacker.drivers.images.layers import LayerBuilder, LayerResult
from stacker.drivers.images.pins import PinSet
from stacker.drivers.images.places import SUFFIXES
from stacker.drivers.images.sources import Source, compression_of, pieces
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.store import Store
from stacker.drivers.images.unpacked import discard
from stacker.drivers.images.workshop import Workshop
from stacker.oci import changes as image_changes
from stacker.oci import digest as digests
from stacker.oci import media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.media_types import Compression
from stacker.oci.platform import Platform
from stacker.oci.reference import Reference

MAGIC_LENGTH = 6


async def import_tar(
    workshop: Workshop,
    source: Source,
    *,
    reference: Reference,
    changes: Sequence[str],
    message: str,
    created: datetime,
    platform: Platform,
    pins: PinSet,
) -> Descriptor:
    """Make the image and name it; its entry."""
    draft = image_changes.apply(changes)
    tar = RootTar(workshop.store)
    try:
        async for piece in pieces(workshop, source):
            await workshop.in_thread(tar.feed, piece)
        layer, diff_id = await workshop.in_thread(tar.finish)
        await pins.add((layer.digest, diff_id))
        await workshop.in_thread(tar.publish, layer, diff_id)
    finally:
        tar.remove()

    config = canonical_json.dumps(
        _config(draft, diff_id=diff_id, message=message, created=created, platform=platform)
    )
    config_entry = _descriptor(media_types.OCI_CONFIG, config)
    manifest = canonical_json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": config_entry.to_json(),
            "layers": [layer.to_json()],
        }
    )
    entry = _descriptor(
        media_types.OCI_MANIFEST, manifest, annotations={catalog.REF_NAME: str(reference)}
    )
    await pins.add((config_entry.digest, entry.digest))
    store = workshop.store
    await workshop.in_thread(store.correct, [diff_id])
    await workshop.in_thread(store.add_document, config, config_entry.digest)
    await workshop.in_thread(store.add_document, manifest, entry.digest)
    await workshop.in_thread(store.name, entry)
    return entry


class RootTar:
    """The tar on its way in; as `Intake`, but nothing is promised about it beforehand. Blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        stem = f"import-{ids.new_id()[:12]}"
        self._blob = store.places.partial / f"{stem}.blob"
        self._image = store.places.partial / f"{stem}{SUFFIXES[store.unpacked.format]}"
        with on_disk("import"):
            self._out = open(self._blob, "xb", buffering=0, opener=_open_private)  # noqa: SIM115
        self._hasher = hashlib.sha256()
        self._size = 0
        self._start = b""
        self._compression: Compression = "none"
        self._builder: LayerBuilder | None = None
        self._result: LayerResult | None = None

    def feed(self, piece: bytes) -> None:
        with on_disk("import"):
            self._out.write(piece)
        self._hasher.update(piece)
        self._size += len(piece)
        if self._builder is None:
            self._start += piece
            if len(self._start) < MAGIC_LENGTH:
                return

            piece, self._start = self._start, b""
            self._compression = compression_of(piece)
            self._builder = LayerBuilder(
                self._image, compression=self._compression, format=self._store.unpacked.format
            )
        self._builder.feed(piece)

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

        with on_disk("import"):
            self._store.unpacked.keep(self._result, diff_id=diff_id)
            self._store.unsynced.publish(self._blob, self._store.places.blob(layer.digest))

    def remove(self) -> None:
        """Take away what has not become visible."""
        self._out.close()
        if self._builder is not None and self._result is None:
            self._builder.abort()
        self._blob.unlink(missing_ok=True)
        discard(self._image)


def _config(
    draft: image_changes.Draft,
    *,
    diff_id: Digest,
    message: str,
    created: datetime,
    platform: Platform,
) -> dict[str, object]:
    moment = created.astimezone(UTC).isoformat().replace("+00:00", "Z")
    history: dict[str, object] = {"created": moment, "created_by": "stacker import"}
    if message:
        history["comment"] = message
    config: dict[str, object] = {
        "created": moment,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": draft.to_json(),
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id)]},
        "history": [history],
    }
    if platform.variant:
        config["variant"] = platform.variant
    return config


def _descriptor(
    media_type: str, data: bytes, *, annotations: dict[str, str] | None = None
) -> Descriptor:
    return Descriptor(
        media_type=media_type,
        digest=digests.of(data),
        size=len(data),
        annotations=annotations or {},
    )


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
