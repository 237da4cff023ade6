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
from stacker.oci.digest import Digest
from stacker.oci.fields import load_object

RECORD_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The answer for one chain: an image, or that none is needed."""

    path: Path | None
    size: int = 0


class Corrections:
    """The corrections of one store. Methods block."""

    def __init__(self, places: Places, unsynced: Unsynced) -> None:
        self._places = places
        self._unsynced = unsynced

    def get(self, chain: Digest) -> Correction | None:
        """The answer, if it has been worked out and is still here."""
        path = self._places.correction(chain)
        try:
            record = load_object(
                self._places.correction_record(chain).read_bytes(),
                what=f"correction record {chain}",
                limit=RECORD_LIMIT,
            )
            if not record.flag("needed"):
                return Correction(path=None)
            return Correction(path=path, size=path.stat().st_size)
        except (OSError, StackerError):
            return None

    def make(self, chain: Digest, layer: Path, lowers: Sequence[Path]) -> Correction:
        """Work it out; `lowers` are all images below the layer, lowest first."""
        fresh = self._places.partial_correction()
        made = complete_layer(layer, lowers, fresh)
        final = self._places.correction(chain)
        try:
            with on_disk("keep corrections"):
                record = json.dumps({"needed": made is not None}).encode()
                write_atomic(self._places.correction_record(chain), record, durable=False)
                if made is None:
                    return Correction(path=None)

                size = made.stat().st_size
                self._unsynced.publish(made, final)
                return Correction(path=final, size=size)
        finally:
            fresh.unlink(missing_ok=True)
