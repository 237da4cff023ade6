"""Images that are here, looked at and named: tag, detail, verify, save.

Called by the engine through `Images.shelf`. Nothing here makes content, or asks a registry; what
has been dropped of an image that is saved is brought back by whoever can.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from pathlib import Path

from stacker.base.errors import Invalid, NotFound, StackerError
from stacker.drivers.images import catalog, save
from stacker.drivers.images.lookup import Lookup
from stacker.drivers.images.pins import PinSet
from stacker.drivers.images.refetch import BringBack
from stacker.drivers.images.repair import Repair
from stacker.drivers.images.steps import step
from stacker.drivers.images.verify import Look, steps
from stacker.drivers.images.workshop import Workshop
from stacker.oci import documents
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.detail import ImageDetail, LayerDetail, Verified
from stacker.oci.digest import Digest
from stacker.oci.image import Image
from stacker.oci.reference import Reference

_DONE = object()


class Shelf:
    def __init__(
        self,
        workshop: Workshop,
        lookup: Lookup,
        *,
        bring_back: BringBack,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is told whenever something has to be brought to the disk."""
        self._workshop = workshop
        self._lookup = lookup
        self._bring_back = bring_back
        self._changed = changed

    async def tag(self, source: str, target: str) -> Image:
        """Give an image another name; what had that name stays, under its digest."""
        name = Reference.parse(target)
        if name.digest is not None:
            raise Invalid(f"tag {target}: a digest is no name that could be given")

        entry = await self._entry(source)
        await self._workshop.in_thread(self._workshop.store.name, _renamed(entry, name))
        self._changed()
        return await self._workshop.in_thread(self._lookup.of_entry, _renamed(entry, name))

    async def names(self, reference: str | None = None) -> dict[str, str]:
        """The names that a removal of `reference` takes away, or all; each with its image's id.

        An image that is not whole has a name and no id.
        """
        return await self._workshop.in_thread(self._names, reference)

    async def asked_at(self, reference: str) -> float | None:
        """When the registry was last asked for a name; None: never, or it is not known."""
        entry = await self._workshop.in_thread(self._lookup.entry, reference)
        text = entry.annotations.get(catalog.ASKED_AT, "") if entry is not None else ""
        return float(text) if text.isascii() and text.isdigit() else None

    async def detail(self, reference: str) -> ImageDetail:
        """All that is known of an image."""
        return await self._workshop.in_thread(self._detail, await self._entry(reference))

    async def verify(self, reference: str, *, repair: Collection[str] | None = None) -> Verified:
        """Read every byte of an image again: blobs, and the layers that are made of them.

        With `repair`, the ids of the images that containers were made of, what is damaged goes
        where it can be had again; the image is not whole then, as after a power cut.
        """
        entry = await self._workshop.in_thread(self._lookup.entry, reference)
        if entry is None:
            raise NotFound(f"image {reference} is not here")

        with self._workshop.pins.held() as pins, step(f"verify {reference}"):
            await pins.add(await self._workshop.in_thread(self._parts_of_any, entry))
            look = await self._workshop.in_thread(Look, self._workshop.store)
            pending = steps(self._workshop.store, entry, look, await self._repair(entry, repair))
            while await self._workshop.in_thread(next, pending, _DONE) is not _DONE:
                pass  # a layer a turn: whoever cancels waits for one at most
        if repair is not None:
            self._lookup.forget()
        return look.found(catalog.name_of(entry) or reference)

    async def _repair(self, entry: Descriptor, in_use: Collection[str] | None) -> Repair | None:
        if in_use is None:
            return None
        return await self._workshop.in_thread(Repair, self._workshop.store, entry, in_use=in_use)

    async def write_layout(self, references: Sequence[str], folder: Path) -> None:
        """Put images into an OCI layout, beside what it has; it is made where there is none."""
        entries = [await self._entry(reference) for reference in references]
        with self._workshop.pins.held() as pins, step(f"save {folder}"):
            await self._hold(entries, pins)
            await self._workshop.in_thread(save.write_layout, self._workshop.store, entries, folder)

    async def archive(self, references: Sequence[str], form: str) -> AsyncIterator[bytes]:
        """Yield a tar of images: `oci`, a layout, or `docker`, what `docker load` reads.

        Whatever is missing is found out before the first piece.
        """
        entries = [await self._entry(reference) for reference in references]
        with self._workshop.pins.held() as pins, step("save"):
            await self._hold(entries, pins)
            async for piece in save.archive(self._workshop, entries, form=form):
                yield piece

    async def _hold(self, entries: Sequence[Descriptor], pins: PinSet) -> None:
        """Keep all that is saved, and have it: what `complete` has fetched may be dropped since."""
        for entry in entries:
            await pins.add(await self._workshop.in_thread(self._parts, entry))
            await self._bring_back(entry)

    async def _entry(self, reference: str) -> Descriptor:
        entry = await self._workshop.in_thread(self._lookup.whole_entry, reference)
        if entry is None:
            raise NotFound(f"image {reference} is not here")

        return entry

    def _names(self, reference: str | None) -> dict[str, str]:
        entries = self._workshop.store.catalog.entries()
        if reference is not None:
            keys = self._lookup.names(reference)
            entries = tuple(e for e in entries if (catalog.name_of(e), e.digest) in keys)
            if not entries:
                raise NotFound(f"image {reference} is not here")

        found: dict[str, str] = {}
        for entry in entries:
            image = self._workshop.store.image(entry)
            found[catalog.name_of(entry) or str(entry.digest)] = image.id if image else ""
        return found

    def _detail(self, entry: Descriptor) -> ImageDetail:
        store = self._workshop.store
        image = self._lookup.of_entry(entry)
        manifest = documents.parse_manifest(store.read_document(entry), expected=entry.media_type)
        sizes = {layer.diff_id: layer.size_bytes for layer in reversed(image.layers)}
        diff_ids = image.config.diff_ids
        names = {
            catalog.name_of(other)
            for other in store.catalog.entries()
            if other.digest == entry.digest and catalog.name_of(other)
        }
        return ImageDetail(
            image=image,
            names=tuple(sorted(names)),
            entry=entry,
            source_digest=entry.annotations.get(catalog.SOURCE_DIGEST),
            manifest=manifest,
            layers=tuple(
                LayerDetail(
                    descriptor=layer,
                    diff_id=diff_id,
                    chain_id=chain,
                    unpacked_bytes=sizes.get(str(diff_id), 0),
                )
                for layer, diff_id, chain in zip(
                    manifest.layers, diff_ids, chain_ids(diff_ids), strict=True
                )
            ),
        )

    def _parts(self, entry: Descriptor) -> tuple[Digest, ...]:
        """Everything that must not go while it is read."""
        detail = self._detail(entry)
        blobs = (layer.descriptor.digest for layer in detail.layers)
        return (
            entry.digest,
            detail.manifest.config.digest,
            *blobs,
            *(layer.diff_id for layer in detail.layers),
            *(layer.chain_id for layer in detail.layers),
        )

    def _parts_of_any(self, entry: Descriptor) -> tuple[Digest, ...]:
        try:
            return self._parts(entry)
        except StackerError:
            return (entry.digest,)  # it is damaged: what it led to cannot be known


def _renamed(entry: Descriptor, name: Reference) -> Descriptor:
    """The entry under a new name; what the registry called it belongs to its old repository."""
    annotations = {**entry.annotations, catalog.REF_NAME: str(name)}
    annotations.pop(catalog.MOVED_ON, None)
    old = catalog.name_of(entry)
    if not old or Reference.parse(old).name != name.name:
        # the old name may go, and blobs that were dropped are still to be had from there
        if (origin := catalog.origin_of(entry)) is not None:
            annotations[catalog.SOURCE_NAME] = str(origin.reference)
        annotations.pop(catalog.SOURCE_DIGEST, None)
        annotations.pop(catalog.ASKED_AT, None)
    return dataclasses.replace(entry, annotations=annotations)
