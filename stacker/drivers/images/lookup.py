"""From what a user calls an image to the image, answered from memory where nothing has changed.

A name wins over a digest, a digest over an id, an id over the beginning of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from stacker.base.errors import Corrupt, Invalid
from stacker.drivers.images import catalog
from stacker.drivers.images.store import Store
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.image import Image, LayerFormat
from stacker.oci.reference import Reference

_ID_START = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})", re.ASCII)
_Key = tuple[str, Digest]


class Lookup:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._images: dict[_Key, Image] = {}
        self._answers: dict[str, Image] = {}
        self._answers_stamp: catalog.Stamp | None = None

    def cached(self, text: str) -> Image | None:
        """The answer of the last time, if it still holds: a stat of the index and of each layer."""
        if self._store.catalog.stamp() != self._answers_stamp:
            return None

        image = self._answers.get(text)
        return image if image is not None and _is_whole(image) else None

    def find(self, text: str) -> Image | None:
        """Look properly. Blocks."""
        stamp = self._store.catalog.stamp()
        if stamp != self._answers_stamp:
            self._answers, self._answers_stamp = {}, stamp
        # kept for this state of the index alone: it may change while this thread reads
        answers = self._answers
        for entry in self._matches(text):
            image = self._image(entry)
            if image is not None:
                answers[text] = image
                return image

        return None

    def whole_entry(self, text: str) -> Descriptor | None:
        """The entry of the whole image that `find` would give. Blocks."""
        return next((entry for entry in self._matches(text) if self._image(entry)), None)

    def forget(self) -> None:
        """Look at the documents again: some may have gone, which `find` takes for granted."""
        self._images, self._answers = {}, {}

    def of_entry(self, entry: Descriptor) -> Image:
        """The image that has just been completed. Blocks."""
        image = self._image(entry)
        if image is None:
            raise Corrupt("the image has been changed while it was pulled")

        return image

    def all(self) -> tuple[Image, ...]:
        """Every whole image, by name. Blocks."""
        entries = self._store.catalog.entries()
        keys = {_key(entry) for entry in entries}
        self._images = {key: image for key, image in list(self._images.items()) if key in keys}
        images = [image for entry in entries if (image := self._image(entry))]
        return tuple(sorted(images, key=lambda image: image.reference))

    def names(self, text: str) -> frozenset[_Key]:
        """The entries that removing `text` takes away. Blocks."""
        return frozenset(_key(entry) for entry in self._matches(text))

    def entry(self, text: str) -> Descriptor | None:
        """The first entry that `text` stands for, whole or not. Blocks."""
        return next(iter(self._matches(text)), None)

    def _matches(self, text: str) -> list[Descriptor]:
        entries = self._store.catalog.entries()
        return (
            list(_by_name(entries, text))
            or list(_by_manifest(entries, text))
            or list(self._by_id(entries, text))
        )

    def _by_id(self, entries: tuple[Descriptor, ...], text: str) -> Iterator[Descriptor]:
        match = _ID_START.fullmatch(text)
        if match is None:
            return

        start = f"sha256:{match[1]}"
        found = [
            (image.id, entry)
            for entry in entries
            if (image := self._image(entry)) and image.id.startswith(start)
        ]
        if len({identity for identity, _ in found}) > 1:
            raise Invalid(f"{text} is the beginning of more than one image's id")

        yield from (entry for _, entry in found)

    def _image(self, entry: Descriptor) -> Image | None:
        key = _key(entry)
        image = self._images.get(key)
        if image is None or not _is_whole(image):
            image = self._store.image(entry)
            if image is None:
                self._images.pop(key, None)
                return None

            self._images[key] = image
        return image


def _key(entry: Descriptor) -> _Key:
    return catalog.name_of(entry), entry.digest


def _is_whole(image: Image) -> bool:
    try:
        return all(
            layer.format is LayerFormat.DIRECTORY or found.st_size == layer.size_bytes
            for layer in image.layers
            if (found := os.stat(layer.path))
        )
    except OSError:
        return False


def _by_name(entries: tuple[Descriptor, ...], text: str) -> Iterator[Descriptor]:
    try:
        reference = Reference.parse(text)
    except Invalid:
        return

    if reference.digest is None:
        yield from (entry for entry in entries if catalog.name_of(entry) == str(reference))
        return

    for entry in entries:
        digests = (str(entry.digest), entry.annotations.get(catalog.SOURCE_DIGEST))
        if str(reference.digest) in digests and _repository(entry) == reference.name:
            yield entry


def _by_manifest(entries: tuple[Descriptor, ...], text: str) -> Iterator[Descriptor]:
    return (entry for entry in entries if str(entry.digest) == text)


def _repository(entry: Descriptor) -> str | None:
    try:
        return Reference.parse(catalog.name_of(entry)).name
    except Invalid:
        return None
