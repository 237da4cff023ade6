"""Pulling one image: index → platform → manifest → config → layers, all verified.

Called by `images.Images`. Layers are fetched side by side, each one hashed, kept and made into its
EROFS file as its bytes arrive. The name is given last; whatever fails before leaves no image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from anyio import CapacityLimiter

from stacker.base import clock
from stacker.base.errors import Corrupt, NotFound, StackerError, Unsupported
from stacker.base.parallel import run_all
from stacker.drivers.images import catalog
from stacker.drivers.images.descend import Descent
from stacker.drivers.images.download import Download
from stacker.drivers.images.pins import PinSet
from stacker.drivers.images.refetch import fetchable
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.images.registry.repository import FetchedDocument
from stacker.drivers.images.registry.retry import retrying
from stacker.drivers.images.registry.sources import Sources
from stacker.drivers.images.space import check_space
from stacker.drivers.images.steps import step
from stacker.drivers.images.workshop import Workshop
from stacker.oci import documents, image_config
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.image_config import ImageConfig
from stacker.oci.index import Index
from stacker.oci.manifest import Manifest
from stacker.oci.platform import Platform
from stacker.oci.progress import PullProgress, PullState
from stacker.oci.reference import Reference

LAYERS_AT_ONCE = 4


class Pull:
    """One pull of one reference."""

    def __init__(
        self,
        workshop: Workshop,
        sources: Sources,
        reference: Reference,
        *,
        platform: Platform,
        patience: Patience,
        pins: PinSet,
        report: Callable[[PullProgress], None],
        present: Descriptor | None = None,
        stack: str | None = None,
    ) -> None:
        """`present` is the entry of the image that has the name now, whole and for the platform;
        `stack` is what the image is for."""
        self._store = workshop.store
        self._workshop = workshop
        self._in_thread = workshop.in_thread
        self._patience = patience
        self._sources = sources
        self._reference = reference
        self._platform = platform
        self._pins = pins
        self._download = Download(workshop, sources, reference, patience=patience, report=report)
        self._present = present
        self._stack = stack

    async def run(self) -> Descriptor:
        """Have the image in the store; its entry."""
        self._download.tell(PullState.RESOLVING)
        if self._present is not None and await self._is_current(self._present):
            self._download.tell(PullState.PRESENT)
            return await self._asked(self._present)

        with step("manifest"):
            resolved = await self._document(self._wanted())
            manifest, source = await self._manifest(resolved)
        await self._pins.add((source.digest, manifest.config.digest))
        await self._pins.add(layer.digest for layer in manifest.layers)
        entry = Descriptor(
            media_type=manifest.media_type,
            digest=source.digest,
            size=len(source.data),
            annotations={
                catalog.REF_NAME: str(self._reference),
                catalog.SOURCE_DIGEST: str(resolved.digest),
                catalog.ASKED_AT: str(int(clock.now().timestamp())),
                **({catalog.SOURCE_STACK: self._stack} if self._stack else {}),
            },
        )
        diff_ids = await self._config(manifest)
        await self._pins.add((*diff_ids, *chain_ids(diff_ids)))
        pairs = zip(manifest.layers, diff_ids, strict=True)
        layers = await self._in_thread(self._lacking, tuple(pairs))
        await self._in_thread(check_space, self._store, layers)
        limiter = CapacityLimiter(LAYERS_AT_ONCE)
        await run_all(
            partial(self._layer, descriptor, diff_id, limiter) for descriptor, diff_id in layers
        )
        await self._in_thread(self._store.correct, diff_ids)
        await self._in_thread(self._store.add_document, source.data, source.digest)
        await self._in_thread(self._store.name, entry)
        self._download.tell(PullState.DONE)
        return entry

    async def _is_current(self, present: Descriptor) -> bool:
        """Whether the name still stands for what is here: one HEAD request, not repeated."""
        if self._reference.pinned:
            return True
        try:
            named = await self._sources.head(self._wanted())
        except StackerError:
            return False  # what the matter is comes out when the manifest is fetched
        return str(named) in (str(present.digest), present.annotations.get(catalog.SOURCE_DIGEST))

    async def _asked(self, present: Descriptor) -> Descriptor:
        """Note that the registry was asked for what is here under this name."""
        if catalog.name_of(present) != str(self._reference):
            return present

        now = str(int(clock.now().timestamp()))
        entry = replace(present, annotations={**present.annotations, catalog.ASKED_AT: now})
        await self._in_thread(self._store.name, entry)
        return entry

    def _wanted(self) -> str:
        return str(self._reference.digest or self._reference.tag)

    async def _document(self, name: str) -> FetchedDocument:
        return await retrying(
            lambda: self._sources.manifest(name),
            patience=self._patience,
            on_wait=self._download.waits,
        )

    async def _manifest(self, document: FetchedDocument) -> tuple[Manifest, FetchedDocument]:
        """Go from what the name stands for down to the manifest for our platform."""
        descent = Descent(
            platform=self._platform, fetch=self._promised, parse=_parsed, suits=self._suits
        )
        return await descent.manifest(document)

    async def _promised(self, entry: Descriptor) -> FetchedDocument:
        document = await self._document(str(entry.digest))
        if len(document.data) != entry.size:
            raise Corrupt(f"{entry.digest} has {len(document.data)} bytes, not the promised")
        return document

    async def _suits(self, manifest: Manifest) -> bool:
        if not manifest.is_image:
            return False

        return self._platform.can_run((await self._config_of(manifest)).platform)

    async def _config(self, manifest: Manifest) -> tuple[Digest, ...]:
        """Have the config here; the diff ids of the layers."""
        if not manifest.is_image:
            kind = manifest.artifact_type or manifest.config.media_type
            raise Unsupported(f"it is no image but {kind[:100]!r}")

        with step("config"):
            config = await self._config_of(manifest)
            if len(config.diff_ids) != len(manifest.layers):
                raise Corrupt(
                    f"it lists {len(config.diff_ids)} layers, the manifest {len(manifest.layers)}"
                )
            if not self._platform.can_run(config.platform):
                raise NotFound(f"the image is for {config.platform}, not for {self._platform}")

        return config.diff_ids

    async def _config_of(self, manifest: Manifest) -> ImageConfig:
        await self._in_thread(self._store.drop_damaged, manifest.config)
        await self._download.have(manifest.config, diff_id=None)
        return image_config.parse(await self._in_thread(self._store.read_document, manifest.config))

    def _lacking(
        self, layers: tuple[tuple[Descriptor, Digest], ...]
    ) -> tuple[tuple[Descriptor, Digest], ...]:
        """All but those that are here, and whose blobs another pull has had and were dropped."""
        store = self._store
        dropped = {
            descriptor.digest
            for descriptor, diff_id in layers
            if store.unpacked.get(diff_id) is not None and not store.has_blob(descriptor)
        }
        if dropped:
            dropped &= fetchable(store)
        lacking: list[tuple[Descriptor, Digest]] = []
        for descriptor, diff_id in layers:
            if descriptor.digest in dropped:
                self._download.tell(PullState.PRESENT, descriptor, current=descriptor.size)
            else:
                lacking.append((descriptor, diff_id))
        return tuple(lacking)

    async def _layer(
        self, descriptor: Descriptor, diff_id: Digest, limiter: CapacityLimiter
    ) -> None:
        self._download.tell(PullState.WAITING, descriptor)
        async with limiter:
            with step(f"layer {descriptor.digest.short}"):
                await self._download.have(descriptor, diff_id=diff_id)


def _parsed(document: FetchedDocument, expected: Descriptor | None) -> Manifest | Index:
    return documents.parse(
        document.data,
        content_type=document.content_type,
        expected=expected.media_type if expected else None,
    )
