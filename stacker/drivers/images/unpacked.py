"""The EROFS files of layers, by diff id.

A file under its final name is whole and has the diff id of its name; the JSON beside it says how
large it is and is written first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from stacker.base.atomic import write_atomic
from stacker.base.errors import Corrupt, StackerError
from stacker.drivers.images.durability import Unsynced
from stacker.drivers.images.layers import Compression, LayerBuilder, LayerResult
from stacker.drivers.images.places import Places
from stacker.drivers.images.steps import on_disk
from stacker.oci.digest import Digest
from stacker.oci.fields import load_object

RECORD_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedLayer:
    diff_id: Digest
    path: Path
    image_size: int
    """Bytes of the EROFS file."""
    implied: bool
    """See `LayerResult.implied`."""


class Unpacked:
    """The layers of one store. Methods block."""

    def __init__(self, places: Places, unsynced: Unsynced) -> None:
        self._places = places
        self._unsynced = unsynced

    def get(self, diff_id: Digest) -> UnpackedLayer | None:
        """The layer, if it is here."""
        path = self._places.layer(diff_id)
        try:
            record = load_object(
                self._places.layer_record(diff_id).read_bytes(),
                what=f"layer record {diff_id}",
                limit=RECORD_LIMIT,
            )
            return UnpackedLayer(
                diff_id=diff_id,
                path=path,
                image_size=path.stat().st_size,
                implied=record.flag("implied"),
            )
        except (OSError, StackerError):
            # without its record a layer is as good as absent: it is made again from its blob
            return None

    def builder(self, diff_id: Digest, *, compression: Compression) -> LayerBuilder:
        """Begin a layer under a temporary name."""
        return LayerBuilder(self._places.partial_layer(diff_id), compression=compression)

    def keep(self, result: LayerResult, *, diff_id: Digest) -> None:
        """Make a finished layer visible, if it is the one it should be."""
        try:
            if result.diff_id != str(diff_id):
                raise Corrupt(f"its content is {result.diff_id}, the config says {diff_id}")

            record = {
                "diffId": str(diff_id),
                "size": result.size,
                "entries": result.entries,
                "implied": result.implied,
            }
            with on_disk("keep layer"):
                data = json.dumps(record).encode()
                write_atomic(self._places.layer_record(diff_id), data, durable=False)
                self._unsynced.publish(result.path, self._places.layer(diff_id))
        except BaseException:
            result.path.unlink(missing_ok=True)
            raise
