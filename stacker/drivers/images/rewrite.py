"""An archive written anew, entry by entry: one spelling of headers, bounded times, one owner.

What two archives differ in beside their tree (header formats, padding, comments) is gone; names,
order and content are as they were. Holes of sparse files are written as the zeros that they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stacker.base.errors import Invalid
from stacker.oci import tar
from stacker.oci.tar import writer
from stacker.oci.tree import TreeOptions

ZEROS = bytes(1 << 20)
HOLES_LIMIT = 64 << 30
"""Bytes of zeros that one archive may have written out."""


class Rewriter:
    def __init__(self, options: TreeOptions) -> None:
        self._options = options
        self._reader = tar.TarReader()
        self._padding = b""
        self._holes = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What these bytes of the plain archive become."""
        for event in self._reader.feed(piece):
            if isinstance(event, tar.Entry):
                yield self._padding
                yield writer.header(self._entry(event))
                self._padding = writer.padding(event.size)
            elif isinstance(event, tar.Hole):
                yield from self._zeros(event.size)
            else:
                yield bytes(event)

    def finish(self) -> Iterator[bytes]:
        self._reader.finish()
        yield self._padding
        yield writer.END

    def _entry(self, entry: tar.Entry) -> tar.Entry:
        latest, owner = self._options.latest_ns, self._options.owner
        if latest is not None:
            entry = replace(entry, mtime_ns=min(entry.mtime_ns, latest))
        if owner is not None:
            entry = replace(entry, uid=owner[0], gid=owner[1])
        return entry

    def _zeros(self, size: int) -> Iterator[bytes]:
        self._holes += size
        if self._holes > HOLES_LIMIT:
            raise Invalid(f"the archive has holes of more than {HOLES_LIMIT} bytes")
        while size:
            yield ZEROS[:size]
            size -= min(size, len(ZEROS))
