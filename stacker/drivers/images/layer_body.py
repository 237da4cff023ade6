"""What a layer's plain bytes become: the two forms a layer has, behind one face.

Called by `layers`. The forms are told apart here and nowhere else in this folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stacker.drivers.images.layer_sink import FileSink
from stacker.drivers.images.layer_tree import LayerTree
from stacker.oci import tar
from stacker.oci.erofs.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    entries: int
    size: int
    """Bytes of the EROFS file, or of the directory's files."""
    implied: bool


class Body(Protocol):
    """A layer under construction, at the path it was made for."""

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes of the archive."""
        ...

    def finish(self, identity: bytes) -> Finished:
        """The archive has ended: completes the layer."""
        ...

    def discard(self) -> None:
        """Removes what has been made; may be called at any time, and twice."""
        ...


class ErofsBody:
    """One EROFS file, made in this process."""

    def __init__(self, target: Path, limits: tar.Limits, size_max: int) -> None:
        self._reader = tar.TarReader(limits)
        self._sink = FileSink(target)
        self._tree = LayerTree(Writer(self._sink), limits.entries, size_max)

    def feed(self, piece: bytes) -> None:
        self._tree.apply(self._reader.feed(piece))

    def finish(self, identity: bytes) -> Finished:
        self._reader.finish()
        size = self._tree.finish(uuid=identity)
        self._sink.close(size)
        return Finished(entries=self._reader.entries, size=size, implied=self._tree.implied)

    def discard(self) -> None:
        self._sink.discard()
