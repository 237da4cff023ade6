"""An archive of images, entry by entry, as numbered files.

An image archive lists what it holds at its end or nowhere, so its files are put down first and
understood afterwards. No name of the archive ever becomes a path: the files are called 0, 1, 2.
Blocks; called in a worker thread.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stacker.base.errors import Corrupt, NotFound
from stacker.drivers.images.layer_decompress import DECOMPRESSORS, Decompressor
from stacker.drivers.images.sources import compression_of
from stacker.drivers.images.steps import on_disk
from stacker.oci import tar
from stacker.oci.digest import Digest

LIMITS = tar.Limits(entries=100_000)
SIZE_LIMIT = 256 << 30
LINK_DEPTH = 8
"""Old versions of docker save write equal layers as symbolic links to one another."""
MAGIC_LENGTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledFile:
    path: Path
    size: int
    digest: Digest


class Spool:
    """Feed it an archive, `finish`, then ask for files by name; `remove` in any case."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader = tar.TarReader(LIMITS)
        self._decompressor: Decompressor | None = None
        self._start = b""
        self._size = 0
        self._count = 0
        self._files: dict[str, SpooledFile] = {}
        self._links: dict[str, str] = {}
        self._name: str | None = None
        self._out: BinaryIO | None = None
        self._hasher = hashlib.sha256()
        self._written = 0
        with on_disk("spool archive"):
            folder.mkdir(mode=0o700)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the archive, packed as it may be."""
        if self._decompressor is None:
            self._start += piece
            if len(self._start) < MAGIC_LENGTH:
                return

            piece, self._start = self._start, b""
            self._decompressor = DECOMPRESSORS[compression_of(piece)](self._plain)
        self._decompressor.feed(piece)

    def finish(self) -> None:
        """The archive has ended."""
        if self._decompressor is None:
            raise Corrupt("archive: it is empty")

        self._decompressor.finish()
        self._reader.finish()
        self._end_file()

    def has(self, name: str) -> bool:
        return self._resolve(name) in self._files

    def file(self, name: str) -> SpooledFile:
        """The regular file with this name, links followed within the archive."""
        found = self._files.get(self._resolve(name))
        if found is None:
            raise NotFound(f"the archive has no {name[:200]!r}")

        return found

    def read(self, name: str, *, limit: int) -> bytes:
        found = self.file(name)
        if found.size > limit:
            raise Corrupt(f"{name[:200]!r} has {found.size} bytes, more than {limit}")

        with on_disk("read archive"):
            return found.path.read_bytes()

    def remove(self) -> None:
        """Take the files away."""
        if self._out is not None:
            self._out.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _plain(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > SIZE_LIMIT:
            raise Corrupt(f"archive: more than {SIZE_LIMIT} bytes uncompressed")

        for event in self._reader.feed(piece):
            if isinstance(event, tar.Entry):
                self._end_file()
                self._begin(event)
            elif isinstance(event, tar.Hole):
                raise Corrupt("archive: an image archive has no sparse files")
            elif self._out is not None:
                with on_disk("spool archive"):
                    self._out.write(event)
                self._hasher.update(event)
                self._written += len(event)

    def _begin(self, entry: tar.Entry) -> None:
        name = _key(os.fsdecode(entry.name))
        target = os.fsdecode(entry.target)
        self._files.pop(name, None)
        self._links.pop(name, None)
        if entry.kind is tar.Kind.FILE:
            self._count += 1
            self._name, self._written, self._hasher = name, 0, hashlib.sha256()
            with on_disk("spool archive"):
                path = self._folder / str(self._count)
                self._out = path.open("xb", buffering=0)
        elif entry.kind is tar.Kind.LINK:
            self._links[name] = _key(target)
        elif entry.kind is tar.Kind.SYMLINK:
            self._links[name] = _key(posixpath.join(posixpath.dirname(name), target))

    def _end_file(self) -> None:
        if self._out is None or self._name is None:
            return

        self._files[self._name] = SpooledFile(
            path=Path(self._out.name),
            size=self._written,
            digest=Digest("sha256", self._hasher.hexdigest()),
        )
        self._out.close()
        self._out = self._name = None

    def _resolve(self, name: str) -> str:
        key = _key(name)
        for _ in range(LINK_DEPTH):
            if key not in self._links:
                break
            key = self._links[key]
        return key


def _key(name: str) -> str:
    """One spelling for the names of an archive: `./a`, `/a` and `a` are the same file."""
    return posixpath.normpath("/" + name).lstrip("/")
