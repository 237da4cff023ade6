"""Images that are made here: of a tree, of a root file system's tar, of a container's changes.

Called by the engine through `Images.maker`. One layer is made; the config is derived; the name
comes last, as with a pull.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from stacker.base.errors import Corrupt, Invalid, NotFound
from stacker.drivers.images.layer_decompress import DECOMPRESSORS
from stacker.drivers.images.lookup import Lookup
from stacker.drivers.images.made_layer import MadeLayer
from stacker.drivers.images.new_image import add_image
from stacker.drivers.images.pins import PinSet
from stacker.drivers.images.refetch import BringBack
from stacker.drivers.images.rewrite import Rewriter
from stacker.drivers.images.sources import compression_of
from stacker.drivers.images.steps import on_disk, step
from stacker.drivers.images.tree_archive import PIECE, archive
from stacker.drivers.images.workshop import Workshop
from stacker.oci import derive, documents, image_config, media_types
from stacker.oci.chain_id import chain_ids
from stacker.oci.derive import Making
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.image import Image
from stacker.oci.media_types import Compression
from stacker.oci.platform import Platform
from stacker.oci.reference import Reference
from stacker.oci.tree import TreeOptions

PIECES_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What a new image goes on from."""

    entry: Descriptor
    config: bytes
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[Digest, ...]


class Maker:
    def __init__(
        self,
        workshop: Workshop,
        lookup: Lookup,
        *,
        host: Platform,
        bring_back: BringBack,
        changed: Callable[[], None],
    ) -> None:
        self._bring_back = bring_back
        self._workshop = workshop
        self._lookup = lookup
        self._host = host
        self._changed = changed

    async def build(
        self,
        source: Path,
        *,
        reference: str,
        making: Making,
        compression: str,
        platform: str | None = None,
        options: TreeOptions,
    ) -> Image:
        """Make an image of a directory, or of a root file system's tar."""
        wanted = Platform.parse(platform) if platform else self._host
        is_tree = await self._workshop.in_thread(source.is_dir)
        pieces = partial(archive if is_tree else _rewritten, source, options)
        with step(f"build {reference}"):
            return await self._make(
                pieces,
                reference=reference,
                compression=compression,
                base=None,
                config=lambda diff_id: derive.fresh_config(
                    making, platform=wanted, diff_id=diff_id
                ),
            )

    async def commit(
        self,
        upper: Path,
        *,
        base_id: str,
        reference: str,
        making: Making,
        compression: str,
        options: TreeOptions,
    ) -> Image:
        """Make an image of another and what a container has changed over it.

        Blobs of the base that were dropped are fetched again.
        """
        with step(f"commit {reference}"):
            base = await self._workshop.in_thread(self._base, base_id)
            return await self._make(
                partial(archive, upper, replace(options, overlay=True)),
                reference=reference,
                compression=compression,
                base=base,
                config=lambda diff_id: derive.derived_config(base.config, making, diff_id=diff_id),
            )

    async def export(self, tree: Path) -> AsyncIterator[bytes]:
        """Yield a mounted tree as a tar."""
        pieces = archive(tree, TreeOptions())
        while (piece := await self._workshop.in_thread(next, pieces, None)) is not None:
            yield piece

    async def _make(
        self,
        pieces: Callable[[], Generator[bytes]],
        *,
        reference: str,
        compression: str,
        base: _Base | None,
        config: Callable[[Digest], bytes],
    ) -> Image:
        name = Reference.parse(reference)
        if name.digest is not None:
            raise Invalid(f"{reference}: an image that is made here cannot be named so")
        packed = _compression(compression)

        before = base.layers if base else ()
        below = base.diff_ids if base else ()
        with self._workshop.pins.held() as pins:
            await pins.add((*(layer.digest for layer in before), *below, *chain_ids(below)))
            if base is not None:
                # what is made here is whole: its base may lose its name, or be removed for room
                await self._bring_back(base.entry)
            layer, diff_id = await self._layer(pieces, packed, pins)
            entry = await add_image(
                self._workshop,
                config(diff_id),
                (*before, layer),
                (*below, diff_id),
                reference=name,
                pins=pins,
            )
            image = await self._workshop.in_thread(self._lookup.of_entry, entry)
        self._changed()
        return image

    async def _layer(
        self, pieces: Callable[[], Generator[bytes]], compression: Compression, pins: PinSet
    ) -> tuple[Descriptor, Digest]:
        made = await self._workshop.in_thread(MadeLayer, self._workshop.store, compression)
        try:
            with closing(pieces()) as source:
                # in slices: whoever cancels does not wait for all of it
                while await self._workshop.in_thread(_feed_some, made, source):
                    pass
            layer, diff_id = await self._workshop.in_thread(made.finish)
            await pins.add((layer.digest, diff_id))
            await self._workshop.in_thread(made.publish, layer, diff_id)
        finally:
            await self._workshop.clean_up(made.remove)
        return layer, diff_id

    def _base(self, image_id: str) -> _Base:
        store = self._workshop.store
        entry = self._lookup.whole_entry(image_id)
        if entry is None:
            raise NotFound(f"the image {image_id} that it was made of is not here any more")

        manifest = documents.parse_manifest(store.read_document(entry), expected=entry.media_type)
        config = store.read_document(manifest.config)
        layers = tuple(
            replace(layer, media_type=media_types.as_oci(layer.media_type))
            for layer in manifest.layers
        )
        diff_ids = image_config.parse(config).diff_ids
        return _Base(entry=entry, config=config, layers=layers, diff_ids=diff_ids)


def _feed_some(made: MadeLayer, source: Iterator[bytes]) -> bool:
    """Take the next pieces; is there more?"""
    count = 0
    for piece in islice(source, PIECES_AT_ONCE):
        made.feed(piece)
        count += 1
    return count == PIECES_AT_ONCE


def _rewritten(source: Path, options: TreeOptions) -> Generator[bytes]:
    """A tar written anew: packed as it may be, whatever its headers are like."""
    out: list[bytes] = []
    rewriter = Rewriter(options)

    def take(piece: bytes) -> None:
        out.extend(rewriter.feed(piece))

    with on_disk("read archive"), source.open("rb") as stream:
        piece = stream.read(PIECE)
        if not piece:
            raise Corrupt("the archive is empty")  # a tar of nothing has an end; this was cut off
        unpacker = DECOMPRESSORS[compression_of(piece)](take)
        while piece:
            unpacker.feed(piece)
            yield from out
            out.clear()
            piece = stream.read(PIECE)
        unpacker.finish()
    yield from out
    yield from rewriter.finish()


def _compression(name: str) -> Compression:
    for known in media_types.LAYER_BY_COMPRESSION:
        if known == name:
            return known
    raise Invalid(f"{name[:40]!r} is no compression: gzip, zstd or none")
