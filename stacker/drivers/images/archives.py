"""The forms in which images travel as files, reduced to one question: give me this blob.

`LayoutDirectory` and `LayoutArchive` are the image specification's layout as a folder and as a
tar; `docker_archive` reads what `docker save` has written since 1.10.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from stacker.base import canonical_json
from stacker.base.errors import Corrupt, Invalid, NotFound, StackerError
from stacker.drivers.images import sources
from stacker.drivers.images.spool import Spool
from stacker.drivers.images.steps import on_disk
from stacker.oci import descriptor, image_config, media_types
from stacker.oci import digest as digests
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.fields import DOCUMENT_LIMIT, Fields, load_object, load_objects
from stacker.oci.index import ENTRY_LIMIT
from stacker.oci.reference import Reference

CONTAINERD_NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"
LOCAL_DOMAIN = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedImage:
    """A manifest or index of an archive, and the names it has there."""

    entry: Descriptor
    names: tuple[Reference, ...]


class BlobFiles(Protocol):
    """Blobs by digest. Not verified yet: whoever reads them does."""

    def open(self, digest: Digest) -> BinaryIO: ...


class LayoutDirectory:
    """An image layout as a folder. No symbolic link in it is followed (GHSA-r3h2-rgqf-9hv9)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, digest: Digest) -> BinaryIO:
        return self._open("blobs", digest.algorithm, digest.hex)

    def images(self) -> tuple[ArchivedImage, ...]:
        with on_disk("read layout"), self._open("oci-layout") as stream:
            _check_version(stream.read(DOCUMENT_LIMIT + 1))
        with on_disk("read layout"), self._open("index.json") as stream:
            return _layout_images(stream.read(DOCUMENT_LIMIT + 1), source=self._folder.name)

    def _open(self, *parts: str) -> BinaryIO:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with on_disk(f"open {'/'.join(parts)}"):
            fd = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            for part in parts:
                try:
                    inner = os.open(part, flags, dir_fd=fd)
                except FileNotFoundError:
                    raise NotFound(f"the layout has no {'/'.join(parts)}") from None
                finally:
                    os.close(fd)
                fd = inner
            return os.fdopen(fd, "rb", buffering=0)


class LayoutArchive:
    """An image layout as a tar, spooled."""

    def __init__(self, spool: Spool, *, source: str) -> None:
        self._spool = spool
        self._source = source

    def open(self, digest: Digest) -> BinaryIO:
        found = self._spool.file(f"blobs/{digest.algorithm}/{digest.hex}")
        return found.path.open("rb", buffering=0)

    def images(self) -> tuple[ArchivedImage, ...]:
        _check_version(self._spool.read("oci-layout", limit=DOCUMENT_LIMIT))
        index = self._spool.read("index.json", limit=DOCUMENT_LIMIT)
        return _layout_images(index, source=self._source)


class DockerArchive:
    """What `docker save` writes: a config, and layers as tars that no manifest describes."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._files: dict[Digest, Path] = {}
        self._documents: dict[Digest, bytes] = {}

    def open(self, digest: Digest) -> BinaryIO:
        if digest in self._files:
            return self._files[digest].open("rb", buffering=0)

        raise NotFound(f"the archive has no blob {digest}")

    def document(self, digest: Digest) -> bytes | None:
        """A manifest that had to be made."""
        return self._documents.get(digest)

    def images(self) -> tuple[ArchivedImage, ...]:
        listed = load_objects(
            self._spool.read("manifest.json", limit=DOCUMENT_LIMIT), what="manifest.json"
        )
        return tuple(map(self._image, listed))

    def _image(self, fields: Fields) -> ArchivedImage:
        config = self._spool.file(fields.text("Config"))
        self._files[config.digest] = config.path
        image_config.parse(self._spool.read(fields.text("Config"), limit=DOCUMENT_LIMIT))
        manifest = canonical_json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": media_types.OCI_MANIFEST,
                "config": Descriptor(
                    media_type=media_types.OCI_CONFIG, digest=config.digest, size=config.size
                ).to_json(),
                "layers": [self._layer(name).to_json() for name in fields.texts("Layers")],
            }
        )
        digest = digests.of(manifest)
        self._documents[digest] = manifest
        return ArchivedImage(
            entry=Descriptor(
                media_type=media_types.OCI_MANIFEST, digest=digest, size=len(manifest)
            ),
            names=tuple(map(Reference.parse, fields.texts("RepoTags"))),
        )

    def _layer(self, name: str) -> Descriptor:
        found = self._spool.file(name)
        self._files[found.digest] = found.path
        with on_disk("read archive"), found.path.open("rb") as stream:
            compression = sources.compression_of(stream.read(8))
        return Descriptor(
            media_type=media_types.LAYER_BY_COMPRESSION[compression],
            digest=found.digest,
            size=found.size,
        )


Archive = LayoutDirectory | LayoutArchive | DockerArchive


def of_spool(spool: Spool, *, source: str) -> Archive:
    """Tell the forms apart; an archive of Docker 25 and later is both, and then a layout."""
    if spool.has("index.json") and spool.has("oci-layout"):
        return LayoutArchive(spool, source=source)
    if spool.has("manifest.json"):
        return DockerArchive(spool)

    raise Invalid("it is neither an OCI layout nor a docker archive")


def _check_version(data: bytes) -> None:
    version = load_object(data, what="oci-layout").text("imageLayoutVersion")
    if version.partition(".")[0] != "1":
        raise Corrupt(f"oci-layout: version {version[:20]!r} is not known")


def _layout_images(data: bytes, *, source: str) -> tuple[ArchivedImage, ...]:
    fields = load_object(data, what="index.json")
    entries = map(descriptor.parse, fields.children("manifests", limit=ENTRY_LIMIT))
    return tuple(
        ArchivedImage(entry=entry, names=tuple(_layout_names(entry, source=source)))
        for entry in entries
        if entry.media_type in media_types.MANIFESTS | media_types.INDEXES
    )


def _layout_names(entry: Descriptor, *, source: str) -> Iterator[Reference]:
    """containerd's full name; else the layout's own, which may be a full name or a tag alone."""
    name = entry.annotations.get(CONTAINERD_NAME) or entry.annotations.get(REF_NAME)
    if not name:
        return
    if ":" in name or "/" in name or "@" in name:
        with suppress(Invalid):
            yield Reference.parse(name)
        return

    with suppress(StackerError):
        yield Reference.parse(f"{LOCAL_DOMAIN}/{source.lower()}:{name}")
