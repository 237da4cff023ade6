"""Corrections: what a layer needs over the layers below it, by chain id.

Layers are made side by side, without knowing one another. Where one depends on those below (it has
directories that it does not list, or links into them), a small image of corrections is made once
all are there, and mounted directly above it. The record says whether there is such an image.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stacker.base.atomic import write_atomic
from stacker.base.errors import StackerError
from stacker.drivers.images.durability import Unsynced
from stacker.drivers.images.layer_complete import complete_layer
from stacker.drivers.images.places import Places
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.unpacked import discard, format_of, size_of
from stacker.oci.digest import Digest
from stacker.oci.fields import load_object
from stacker.oci.image import LayerFormat

RECORD_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The answer for one chain: an image, or that none is needed."""

    path: Path | None
    size: int = 0
    format: LayerFormat = LayerFormat.EROFS


class Corrections:
    """The corrections of one store. Methods block."""

    def __init__(self, places: Places, unsynced: Unsynced, format: LayerFormat) -> None:
        self._format = format
        self._places = places
        self._unsynced = unsynced

    def get(self, chain: Digest) -> Correction | None:
        """The answer, if it has been worked out and is still here."""
        try:
            record = load_object(
                self._places.correction_record(chain).read_bytes(),
                what=f"correction record {chain}",
                limit=RECORD_LIMIT,
            )
            if not record.flag("needed"):
                return Correction(path=None)
            format = format_of(record)
            if format is LayerFormat.EROFS is not self._format:
                return None
            path = self._places.correction(chain, format)
            return Correction(path=path, size=size_of(path, record), format=format)
        except (OSError, ValueError, StackerError):
            return None

    def make(self, chain: Digest, layer: Path, lowers: Sequence[Path]) -> Correction:
        """Work it out; `lowers` are all images below the layer, lowest first."""
        fresh = self._places.partial_correction(self._format)
        size = complete_layer(layer, lowers, fresh, format=self._format)
        final = self._places.correction(chain, self._format)
        try:
            with on_disk("keep corrections"):
                record: dict[str, object] = {"needed": size is not None}
                if size is not None:
                    record |= {"format": self._format.value, "imageSize": size}
                data = json.dumps(record).encode()
                write_atomic(self._places.correction_record(chain), data, durable=False)
                if size is None:
                    return Correction(path=None)

                self._unsynced.publish(fresh, final)
                return Correction(path=final, size=size, format=self._format)
        finally:
            discard(fresh)
