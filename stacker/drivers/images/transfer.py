"""Bringing an image, an artifact or an index into a repository, from wherever it is.

Called by `push` and `remote`. Blobs first, side by side; then the manifests that name them, inner
ones first; names last. So whoever dies in between has changed no name.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from anyio import CapacityLimiter, Semaphore

from stacker.base.errors import Corrupt, Unavailable
from stacker.base.parallel import run_all
from stacker.drivers.images.registry import referrers
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.images.registry.repository import Repository
from stacker.drivers.images.registry.retry import retrying
from stacker.drivers.images.registry.uploads import CHUNK, Content, Upload, Way
from stacker.drivers.images.steps import step
from stacker.oci import documents, media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.index import DEPTH_LIMIT, Index
from stacker.oci.manifest import Manifest
from stacker.oci.progress import PushProgress, PushState

T = TypeVar("T")

BLOBS_AT_ONCE = 4
MANIFEST_LIMIT = 10_000
"""Of one transfer: what an index leads to multiplies with its depth (CVE-2026-53493)."""

STATES = {
    Way.PRESENT: PushState.PRESENT,
    Way.MOUNTED: PushState.MOUNTED,
    Way.SENT: PushState.DONE,
}


class Origin(Protocol):
    """Where the parts come from: the store, or another repository."""

    async def document(self, descriptor: Descriptor) -> bytes:
        """A manifest or index, verified."""
        ...

    def content(self, descriptor: Descriptor) -> AbstractAsyncContextManager[Content]:
        """A blob's bytes; the repository that takes them verifies them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a transfer came to."""

    reference: str
    digest: Digest
    media_type: str
    blobs_sent: int
    blobs_mounted: int
    blobs_present: int
    bytes_sent: int


class Transfer:
    """One transfer into one repository."""

    def __init__(
        self,
        origin: Origin,
        target: Repository,
        *,
        reference: str,
        patience: Patience,
        slots: Semaphore,
        report: Callable[[PushProgress], None],
        mount_from: Callable[[Digest], str | None] = lambda _: None,
        chunk: int = CHUNK,
    ) -> None:
        """`reference` is for messages; `slots` bounds what the target gets at once.

        `mount_from` answers which path of the same registry may have a blob already.
        """
        self._origin = origin
        self._target = target
        self._reference = reference
        self._patience = patience
        self._slots = slots
        self._report = report
        self._mount_from = mount_from
        self._chunk = chunk
        self._ways: dict[Digest, Way] = {}
        self._limiter = CapacityLimiter(BLOBS_AT_ONCE)
        self._documents: set[Digest] = set()
        self._bytes_sent = 0

    async def send(self, entry: Descriptor, *, tags: Sequence[str] = ()) -> Sent:
        """Have what an entry leads to in the repository, under these tags and its digest."""
        await self._document(entry, tags=tags, depth=0)
        self._tell(PushState.DONE)
        ways = list(self._ways.values())
        return Sent(
            reference=self._reference,
            digest=entry.digest,
            media_type=entry.media_type,
            blobs_sent=ways.count(Way.SENT),
            blobs_mounted=ways.count(Way.MOUNTED),
            blobs_present=ways.count(Way.PRESENT),
            bytes_sent=self._bytes_sent,
        )

    async def _document(self, entry: Descriptor, *, tags: Sequence[str], depth: int) -> None:
        """A manifest or index, after all that it needs."""
        if entry.digest in self._documents:
            return
        if depth > DEPTH_LIMIT:
            raise Corrupt(f"indexes are nested more than {DEPTH_LIMIT} deep")

        self._documents.add(entry.digest)
        if len(self._documents) > MANIFEST_LIMIT:
            raise Corrupt(f"it leads to more than {MANIFEST_LIMIT} manifests")

        with step(f"manifest {entry.digest.short}"):
            data = await self._origin.document(entry)
            parsed = documents.parse(data, expected=entry.media_type)
        if isinstance(parsed, Index):
            for inner in parsed.manifests:
                await self._document(inner, tags=(), depth=depth + 1)
        else:
            await run_all(
                partial(self._blob, descriptor)
                for digest, descriptor in _blobs(parsed).items()
                if digest not in self._ways
            )
        with step(f"manifest {entry.digest.short}"):
            await self._put(parsed, digest=entry.digest, tags=tags)

    async def _put(
        self, document: Manifest | Index, *, digest: Digest, tags: Sequence[str]
    ) -> None:
        keeps_referrers = False
        for name in tags or (str(digest),):
            keeps_referrers = await self._retrying(
                partial(
                    self._target.put_manifest,
                    name,
                    document.raw,
                    media_type=document.media_type,
                )
            )
        if document.subject is not None and not keeps_referrers:
            listed = referrers.entry_of(document, digest=digest)
            await self._retrying(
                partial(referrers.add_to_fallback, self._target, document.subject.digest, listed)
            )

    async def _blob(self, descriptor: Descriptor) -> None:
        if not media_types.is_distributable(descriptor.media_type):
            self._tell(PushState.SKIPPED, descriptor, note="it may not be distributed")
            return

        self._tell(PushState.WAITING, descriptor)
        async with self._limiter:
            with step(f"blob {descriptor.digest.short}"):
                async with self._slots, self._content(descriptor) as content:
                    upload = Upload(
                        self._target,
                        descriptor,
                        content,
                        mount_from=self._mount_from(descriptor.digest),
                        chunk=self._chunk,
                        on_bytes=lambda sent: self._tell(
                            PushState.UPLOADING, descriptor, current=sent
                        ),
                    )
                    way = await self._retrying(upload.attempt, descriptor)
        self._ways[descriptor.digest] = way
        self._bytes_sent += descriptor.size if way is Way.SENT else 0
        self._tell(STATES[way], descriptor, current=descriptor.size)

    @asynccontextmanager
    async def _content(self, descriptor: Descriptor) -> AsyncGenerator[Content]:
        if descriptor.data is not None:
            yield _Embedded(descriptor.data)
            return

        async with self._origin.content(descriptor) as content:
            yield content

    async def _retrying(
        self, attempt: Callable[[], Awaitable[T]], descriptor: Descriptor | None = None
    ) -> T:
        def on_wait(error: Unavailable, delay_s: float) -> None:
            note = f"{error.message}; next try in {delay_s:.1f} s"
            self._tell(PushState.RETRYING, descriptor, note=note)

        return await retrying(attempt, patience=self._patience, on_wait=on_wait)

    def _tell(
        self,
        state: PushState,
        descriptor: Descriptor | None = None,
        *,
        current: int = 0,
        note: str = "",
    ) -> None:
        self._report(
            PushProgress(
                reference=self._reference,
                blob=str(descriptor.digest) if descriptor else "",
                state=state,
                current=current,
                total=descriptor.size if descriptor else 0,
                note=note,
            )
        )


class _Embedded:
    """Content that its descriptor brings along."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        yield self._data[offset : offset + length]


def _blobs(manifest: Manifest) -> dict[Digest, Descriptor]:
    return {blob.digest: blob for blob in (manifest.config, *manifest.layers)}
