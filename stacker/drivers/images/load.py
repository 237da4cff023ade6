"""Loading images out of files: a layout as a folder or a tar, or a docker archive.

Blobs go the way of pulled ones: verified, made into layers, kept, and named last.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stacker.base import ids
from stacker.base.errors import Corrupt, NotFound, Unsupported
from stacker.base.parallel import run_all
from stacker.drivers.images import archives, catalog
from stacker.drivers.images.archives import Archive, ArchivedImage, DockerArchive, LayoutDirectory
from stacker.drivers.images.descend import Descent
from stacker.drivers.images.intake import Intake
from stacker.drivers.images.pins import PinSet
from stacker.drivers.images.provide import provide
from stacker.drivers.images.sources import PIECE, Source, pieces
from stacker.drivers.images.spool import Spool
from stacker.drivers.images.steps import on_disk, step
from stacker.drivers.images.workshop import Workshop
from stacker.oci import digest as digests
from stacker.oci import documents, image_config
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.fields import DOCUMENT_LIMIT
from stacker.oci.index import Index
from stacker.oci.manifest import Manifest
from stacker.oci.platform import Platform

LAYERS_AT_ONCE = 4


async def load(
    workshop: Workshop, source: Source, *, platform: Platform, pins: PinSet
) -> list[Descriptor]:
    """Load every image of a source; the entries that were named."""
    if isinstance(source, Path) and source.is_dir():
        return await _Load(workshop, LayoutDirectory(source), platform, pins).run()

    spool = Spool(workshop.store.places.partial / f"load-{ids.new_id()[:12]}")
    try:
        async for piece in pieces(workshop, source):
            await workshop.in_thread(spool.feed, piece)
        await workshop.in_thread(spool.finish)
        stem = source.name.partition(".")[0] if isinstance(source, Path) else ""
        archive = archives.of_spool(spool, source=stem)
        return await _Load(workshop, archive, platform, pins).run()
    finally:
        await workshop.clean_up(spool.remove)


class _Load:
    """One load of one archive."""

    def __init__(
        self, workshop: Workshop, archive: Archive, platform: Platform, pins: PinSet
    ) -> None:
        self._workshop = workshop
        self._archive = archive
        self._platform = platform
        self._pins = pins

    async def run(self) -> list[Descriptor]:
        images = await self._workshop.in_thread(self._archive.images)
        if not images:
            raise NotFound("there is no image in it")

        return [entry for image in images for entry in await self._image(image)]

    async def _image(self, image: ArchivedImage) -> list[Descriptor]:
        label = str(image.names[0]) if image.names else image.entry.digest.short
        with step(label):
            entry, manifest = await self._manifest(image.entry)
            if not manifest.is_image:
                kind = manifest.artifact_type or manifest.config.media_type
                raise Unsupported(f"it is no image but {kind[:100]!r}")

            await self._pins.add((entry.digest, manifest.config.digest))
            await self._pins.add(layer.digest for layer in manifest.layers)
            await self._have(manifest.config, None)
            diff_ids = await self._diff_ids(manifest)
            await self._pins.add((*diff_ids, *chain_ids(diff_ids)))
            layers = zip(manifest.layers, diff_ids, strict=True)
            await run_all(
                (partial(self._layer, layer, diff_id) for layer, diff_id in layers),
                at_once=LAYERS_AT_ONCE,
            )
            await self._workshop.in_thread(self._workshop.store.correct, diff_ids)
            return await self._name(image, entry, manifest)

    async def _name(
        self, image: ArchivedImage, entry: Descriptor, manifest: Manifest
    ) -> list[Descriptor]:
        store = self._workshop.store
        await self._workshop.in_thread(store.add_document, manifest.raw, entry.digest)
        named: list[Descriptor] = []
        for name in image.names or ("",):
            annotations = {catalog.REF_NAME: str(name)} if name else {}
            named.append(
                Descriptor(
                    media_type=manifest.media_type,
                    digest=entry.digest,
                    size=entry.size,
                    annotations=annotations,
                )
            )
            await self._workshop.in_thread(store.name, named[-1])
        return named

    async def _manifest(self, entry: Descriptor) -> tuple[Descriptor, Manifest]:
        """Go down from an entry of the archive to the manifest for our platform."""
        descent = Descent(
            platform=self._platform, fetch=self._fetch, parse=_parsed, suits=self._suits
        )
        manifest, (found, _) = await descent.manifest(await self._fetch(entry), entry)
        return found, manifest

    async def _fetch(self, entry: Descriptor) -> tuple[Descriptor, bytes]:
        return entry, await self._workshop.in_thread(self._document, entry)

    async def _suits(self, manifest: Manifest) -> bool:
        if not manifest.is_image:
            return False

        await self._have(manifest.config, None)
        data = await self._workshop.in_thread(self._workshop.store.read_document, manifest.config)
        return self._platform.can_run(image_config.parse(data).platform)

    def _document(self, entry: Descriptor) -> bytes:
        made = (
            self._archive.document(entry.digest)
            if isinstance(self._archive, DockerArchive)
            else None
        )
        if made is not None:
            return made

        if entry.size > DOCUMENT_LIMIT:
            raise Corrupt(f"{entry.size} bytes are too many for a manifest")
        with on_disk("read manifest"), self._archive.open(entry.digest) as stream:
            data = stream.read(entry.size + 1)
        if len(data) != entry.size or digests.of(data, algorithm=entry.digest.algorithm) != (
            entry.digest
        ):
            raise Corrupt(f"manifest {entry.digest} is not what its size and digest say")

        return data

    async def _diff_ids(self, manifest: Manifest) -> tuple[Digest, ...]:
        data = await self._workshop.in_thread(self._workshop.store.read_document, manifest.config)
        config = image_config.parse(data)
        if len(config.diff_ids) != len(manifest.layers):
            raise Corrupt(
                f"the config lists {len(config.diff_ids)} layers, "
                f"the manifest {len(manifest.layers)}"
            )
        if not self._platform.can_run(config.platform):
            raise NotFound(f"the image is for {config.platform}, not for {self._platform}")

        return config.diff_ids

    async def _layer(self, descriptor: Descriptor, diff_id: Digest) -> None:
        with step(f"layer {descriptor.digest.short}"):
            await self._have(descriptor, diff_id)

    async def _have(self, descriptor: Descriptor, diff_id: Digest | None) -> None:
        async def fill(intake: Intake) -> None:
            await self._workshop.in_thread(intake.open, resume=False)
            with on_disk("read blob"), self._archive.open(descriptor.digest) as stream:
                while piece := await self._workshop.in_thread(stream.read, PIECE):
                    await self._workshop.in_thread(intake.feed, piece)
            await self._workshop.in_thread(intake.finish)

        await provide(
            self._workshop,
            descriptor,
            diff_id=diff_id,
            fill=fill,
            tell=lambda _state, _current: None,
        )


def _parsed(document: tuple[Descriptor, bytes], _: Descriptor | None) -> Manifest | Index:
    entry, data = document
    return documents.parse(data, expected=entry.media_type)
