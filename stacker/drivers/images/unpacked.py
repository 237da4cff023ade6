"""The layers as they are mounted, EROFS files or directories, by diff id.

What is under its final name is whole and has the diff id of its name; the JSON beside it says how
large it is, of which form, and is written first.
"""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path

from stacker.base.atomic import write_atomic
from stacker.base.errors import Corrupt, StackerError
from stacker.drivers.images.directory.remove import remove_tree
from stacker.drivers.images.durability import Unsynced
from stacker.drivers.images.layers import Compression, LayerBuilder, LayerResult
from stacker.drivers.images.places import Places
from stacker.drivers.images.steps import on_disk
from stacker.oci.digest import Digest
from stacker.oci.fields import Fields, load_object
from stacker.oci.image import LayerFormat

RECORD_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedLayer:
    diff_id: Digest
    path: Path
    image_size: int
    """Bytes of the EROFS file, or of the directory's files."""
    format: LayerFormat
    implied: bool
    """See `LayerResult.implied`."""


class Unpacked:
    """The layers of one store. Methods block."""

    def __init__(self, places: Places, unsynced: Unsynced, format: LayerFormat) -> None:
        """`format` is that of new layers; EROFS files count only where it is theirs."""
        self.format = format
        self._places = places
        self._unsynced = unsynced

    def get(self, diff_id: Digest) -> UnpackedLayer | None:
        """The layer, if it is here."""
        try:
            record = load_object(
                self._places.layer_record(diff_id).read_bytes(),
                what=f"layer record {diff_id}",
                limit=RECORD_LIMIT,
            )
            format = format_of(record)
            if format is LayerFormat.EROFS is not self.format:
                return None
            path = self._places.layer(diff_id, format)
            return UnpackedLayer(
                diff_id=diff_id,
                path=path,
                image_size=size_of(path, record),
                format=format,
                implied=record.flag("implied"),
            )
        except (OSError, ValueError, StackerError):
            # without its record a layer is as good as absent: it is made again from its blob
            return None

    def builder(
        self, diff_id: Digest, *, compression: Compression, format: LayerFormat | None = None
    ) -> LayerBuilder:
        """Begin a layer under a temporary name, in the form of new layers if none is given."""
        format = format or self.format
        target = self._places.partial_layer(diff_id, format)
        return LayerBuilder(
            target, compression=compression, format=format, algorithm=diff_id.algorithm
        )

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
                "format": result.format.value,
                "imageSize": result.image_size,
            }
            with on_disk("keep layer"):
                data = json.dumps(record).encode()
                write_atomic(self._places.layer_record(diff_id), data, durable=False)
                self._unsynced.publish(result.path, self._places.layer(diff_id, result.format))
        except BaseException:
            discard(result.path)
            raise


def format_of(record: Fields) -> LayerFormat:
    """Of a layer, or of corrections; EROFS where none is named."""
    return LayerFormat(record.text_or_none("format") or LayerFormat.EROFS)


def size_of(path: Path, record: Fields) -> int:
    """The bytes of an EROFS file are counted anew; of a directory the record knows."""
    found = path.stat()
    return record.integer("imageSize") if stat.S_ISDIR(found.st_mode) else found.st_size


def discard(path: Path) -> None:
    """Remove a layer of either form that has not become visible."""
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)
