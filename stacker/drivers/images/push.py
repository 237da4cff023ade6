"""Pushing what the store has: the store as an origin, and where its blobs may be mounted from."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

from stacker.base.errors import Corrupt, Invalid, NotFound, StackerError
from stacker.drivers.images import catalog
from stacker.drivers.images.lookup import Lookup
from stacker.drivers.images.reach import Reach
from stacker.drivers.images.refetch import dropped, origins, refetch
from stacker.drivers.images.registry.registries import PUSH, Registries
from stacker.drivers.images.registry.repository import Repository
from stacker.drivers.images.registry.uploads import Content
from stacker.drivers.images.steps import on_disk, step
from stacker.drivers.images.store import Store
from stacker.drivers.images.transfer import Sent, Transfer
from stacker.drivers.images.workshop import Workshop
from stacker.oci import documents, media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.index import Index
from stacker.oci.progress import PullProgress, PushProgress, PushState
from stacker.oci.reference import Reference

READ_SIZE = 1024 * 1024
MOUNT_SOURCES = 5
"""Repositories that a push asks to mount from: each is a scope of the token's."""


async def push(
    workshop: Workshop,
    lookup: Lookup,
    registries: Registries,
    name: str,
    *,
    target: Reference,
    progress: Callable[[PushProgress], None],
) -> Sent:
    """Push what the store has under a name, digest or id."""
    with step(f"push {target}"), workshop.pins.held() as pins:
        entry = await workshop.in_thread(lookup.entry, name)
        if entry is None:
            raise NotFound(f"image {name} is not here")
        if target.digest not in (None, entry.digest):
            raise Invalid(f"what is here under {name} is {entry.digest}")

        reach = await workshop.in_thread(Reach, workshop.store, entry)
        await pins.add(reach.digests)
        mounts = await workshop.in_thread(
            mount_sources, workshop.store, target, location=registries.location
        )
        async with registries.repository(
            target, actions=PUSH, also_pull=sorted(set(mounts.values()))
        ) as repository:
            await _bring_back(workshop, registries, repository, entry, target, progress)
            return await Transfer(
                StoreOrigin(workshop),
                repository,
                reference=str(target),
                patience=registries.patience,
                slots=registries.slots(repository),
                report=progress,
                mount_from=mounts.get,
                chunk=registries.chunk,
            ).send(entry, tags=[target.tag] if target.tag else [])


async def _bring_back(
    workshop: Workshop,
    registries: Registries,
    repository: Repository,
    entry: Descriptor,
    target: Reference,
    progress: Callable[[PushProgress], None],
) -> None:
    """Have the blobs that neither the store nor the repository has."""
    wanted = [
        blob
        for blob in await workshop.in_thread(dropped, workshop.store, entry)
        if media_types.is_distributable(blob.media_type) and not await repository.has_blob(blob)
    ]

    def tell(blob: str, note: str) -> None:
        progress(PushProgress(reference=str(target), blob=blob, state=PushState.WAITING, note=note))

    def report(pulled: PullProgress) -> None:
        if pulled.note:
            tell(pulled.layer, pulled.note)

    sources = await workshop.in_thread(origins, workshop.store, entry, wanted)
    for source, blobs in sources.items():
        for blob in blobs:
            tell(str(blob.digest), f"not here any more: fetched again from {source.reference}")
        await refetch(workshop, registries, blobs, source=source, report=report)


class StoreOrigin:
    """The store, as what `Transfer` takes its parts from."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def document(self, descriptor: Descriptor) -> bytes:
        return await self._workshop.in_thread(self._workshop.store.read_document, descriptor)

    @asynccontextmanager
    async def content(self, descriptor: Descriptor) -> AsyncGenerator[Content]:
        yield _StoredBlob(self._workshop, descriptor)


class _StoredBlob:
    def __init__(self, workshop: Workshop, descriptor: Descriptor) -> None:
        self._workshop = workshop
        self._descriptor = descriptor

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        path = self._workshop.store.places.blob(self._descriptor.digest)
        with on_disk("open blob"):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            end = offset + length
            while offset < end:
                with on_disk("read blob"):
                    piece = await self._workshop.in_thread(
                        os.pread, fd, min(READ_SIZE, end - offset), offset
                    )
                if not piece:
                    raise Corrupt(f"blob {self._descriptor.digest} in the store is too short")
                yield piece
                offset += len(piece)
        finally:
            os.close(fd)


def mount_sources(
    store: Store, target: Reference, *, location: Callable[[Reference], Reference]
) -> dict[Digest, str]:
    """Other repositories of the same registry that an image here came from, by blob. Blocks."""
    place = location(target)
    found: dict[Digest, str] = {}
    paths: set[str] = set()
    for entry in store.catalog.entries():
        try:
            name = location(Reference.parse(catalog.name_of(entry)))
        except StackerError:
            continue
        if name.domain != place.domain or name.path == place.path:
            continue
        if name.path in paths or len(paths) < MOUNT_SOURCES:
            paths.add(name.path)
            for digest in _blobs(store, entry):
                found.setdefault(digest, name.path)
    return found


def _blobs(store: Store, entry: Descriptor) -> tuple[Digest, ...]:
    try:
        document = documents.parse(store.read_document(entry), expected=entry.media_type)
    except StackerError:
        return ()
    if isinstance(document, Index):
        return ()
    return document.config.digest, *(layer.digest for layer in document.layers)
