"""index.json of the layout: which names stand for which manifests.

The only file that says what images there are. Other tools may write it too, so it is read again
whenever its stat has changed; a corrupt one is set aside and the last durable copy takes its
place, and it never stops the start (security.md 0.6).
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

from stacker.base.atomic import sync_directory, sync_file, write_atomic
from stacker.base.errors import Corrupt, Invalid, StackerError
from stacker.oci import descriptor, media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.fields import load_object
from stacker.oci.reference import Reference

REF_NAME = "org.opencontainers.image.ref.name"
SOURCE_DIGEST = "stacker.source.digest"
"""On our own entries: the digest that the tag had, where that was an index's."""
SOURCE_NAME = "stacker.source.name"
"""On our own entries that were given a name here: the name that the image was pulled under."""
SOURCE_STACK = "stacker.source.stack"
"""On our own entries: the stack that the image was pulled for, whose logins came first."""
MOVED_ON = "stacker.source.moved"
"""On our own entries whose name stands for another image now; pulled by digest is none of them."""
ASKED_AT = "stacker.source.asked"
"""On our own entries: when the registry was last asked for the name, in seconds."""
SIZE_LIMIT = 64 * 1024 * 1024
ENTRY_LIMIT = 100_000
LAYOUT_VERSION = b'{"imageLayoutVersion":"1.0.0"}'

Stamp = tuple[int, int, int]


class Catalog:
    """The entries of index.json; any thread may ask."""

    def __init__(self, layout: Path) -> None:
        self._index = layout / "index.json"
        self._durable_copy = layout / ".index.json.durable"
        self._marker = layout / "oci-layout"
        self._lock = threading.RLock()
        self._stamp: Stamp | None = None
        self._durable_stamp: Stamp | None = None
        self._entries: tuple[Descriptor, ...] = ()
        self.warnings: list[str] = []
        """What had to be repaired, for the log."""

    def create(self) -> None:
        """Make an empty layout where there is none; the marker comes last."""
        if not self._marker.exists():
            if not self._index.exists():
                self._write(())
            write_atomic(self._marker, LAYOUT_VERSION, durable=False)

    def entries(self) -> tuple[Descriptor, ...]:
        """What is in index.json, as of its last change."""
        with self._lock:
            stamp = self.stamp()
            if stamp is None or stamp != self._stamp:
                self._entries = self._read()
                self._stamp = self.stamp()
            return self._entries

    def stamp(self) -> Stamp | None:
        """Changes whenever the file does."""
        try:
            stat = os.stat(self._index)
        except FileNotFoundError:
            return None

        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def put(self, entry: Descriptor) -> None:
        """Add an entry under its name; what had the name stays, under its digest."""
        with self._lock:
            kept: list[Descriptor] = []
            for old in self.entries():
                if not name_of(old) or name_of(old) != name_of(entry):
                    kept.append(old)
                elif old.digest != entry.digest:
                    kept.append(_untagged(old))
            kept.append(entry)
            # an untagged image may come back under the name it already has
            unique = {(name_of(each), each.digest): each for each in kept}
            self._write(tuple(unique.values()))

    def remove(self, gone: Callable[[Descriptor], bool]) -> None:
        with self._lock:
            self._write(tuple(entry for entry in self.entries() if not gone(entry)))

    def make_durable(self) -> None:
        """Sync the file and keep a copy of this state of it, if it is not the last one kept."""
        stamp = self.stamp()
        if stamp == self._durable_stamp:
            return

        write_atomic(self._durable_copy, self._index.read_bytes(), durable=True)
        sync_file(self._index)
        sync_directory(self._index.parent)
        self._durable_stamp = stamp

    def _read(self) -> tuple[Descriptor, ...]:
        try:
            data = self._index.read_bytes()
        except FileNotFoundError:
            return self._repair("it is gone")

        try:
            return _parse(data)
        except StackerError as error:
            self._index.rename(self._index.with_name("index.json.corrupt"))
            return self._repair(error.message)

    def _repair(self, why: str) -> tuple[Descriptor, ...]:
        try:
            entries = _parse(self._durable_copy.read_bytes())
        except (OSError, Corrupt):
            entries = ()
        self.warnings.append(f"{self._index}: {why}; {len(entries)} images taken from its copy")
        self._write(entries)
        return entries

    def _write(self, entries: tuple[Descriptor, ...]) -> None:
        document = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [entry.to_json() for entry in entries],
        }
        write_atomic(self._index, json.dumps(document, indent=1).encode(), durable=False)
        self._entries = entries
        self._stamp = self.stamp()


def name_of(entry: Descriptor) -> str:
    """The full reference an entry stands for; empty on entries of other tools without one."""
    return entry.annotations.get(REF_NAME, "")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an image came from."""

    reference: Reference
    stack: str | None
    """Whose logins come first there."""


def origin_of(entry: Descriptor) -> Origin | None:
    """Where what an entry needs can be had again; None where it came from no registry."""
    pulled = SOURCE_DIGEST in entry.annotations
    name = name_of(entry) if pulled else entry.annotations.get(SOURCE_NAME, "")
    try:
        reference = Reference.parse(name)
    except Invalid:
        return None  # no name, or what another tool has written

    return Origin(reference=reference, stack=entry.annotations.get(SOURCE_STACK))


def _untagged(entry: Descriptor) -> Descriptor:
    name = str(Reference.parse(name_of(entry)).at(entry.digest))
    annotations = {**entry.annotations, REF_NAME: name, MOVED_ON: "yes"}
    return dataclasses.replace(entry, annotations=annotations)


def _parse(data: bytes) -> tuple[Descriptor, ...]:
    fields = load_object(data, what="index.json", limit=SIZE_LIMIT)
    return tuple(map(descriptor.parse, fields.children("manifests", limit=ENTRY_LIMIT)))
