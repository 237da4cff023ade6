"""What can be done in registries without the store: copy, list, look, delete.

Each method takes what a user wrote and names it in its errors. `Images.remote` is one of these.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from stacker.base.errors import Corrupt, Invalid, Unavailable
from stacker.drivers.images.registry import referrers, repository
from stacker.drivers.images.registry.registries import DELETE, PUSH, Registries
from stacker.drivers.images.registry.repository import Repository
from stacker.drivers.images.registry.retry import retrying
from stacker.drivers.images.registry.uploads import Content
from stacker.drivers.images.steps import step
from stacker.drivers.images.transfer import Sent, Transfer
from stacker.oci import documents
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.index import DEPTH_LIMIT, Index
from stacker.oci.platform import Platform, choose
from stacker.oci.progress import PushProgress
from stacker.oci.reference import Reference, parse_registry

T = TypeVar("T")


class Remote:
    """Registries, by the names of what is in them."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    async def head(self, reference: str, *, stack: str | None = None) -> Descriptor:
        """What a name stands for in its registry now, by one HEAD request.

        `stack` is whose logins come first.
        """
        full = Reference.parse(reference)
        with step(f"look up {full}"):
            async with self._registries.repository(full, stack=stack) as opened:
                return await self._retrying(lambda: opened.head(_wanted(full)))

    async def tags(self, name: str) -> tuple[str, ...]:
        """All tags of a repository."""
        full = Reference.parse(name)
        with step(f"tags of {full.name}"):
            async with self._registries.repository(full) as opened:
                return await self._retrying(opened.tags)

    async def repositories(self, domain: str) -> tuple[str, ...]:
        """All repositories of a registry that has a catalog."""
        domain = parse_registry(domain)
        with step(f"catalog of {domain}"):
            async with self._registries.registry(domain) as connection:
                return await self._retrying(lambda: repository.repositories(connection))

    async def referrers(
        self, reference: str, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """What refers to an image: signatures, attestations and the like."""
        full = Reference.parse(reference)
        with step(f"referrers of {full}"):
            async with self._registries.repository(full) as opened:
                digest = await self._digest(opened, full)
                return await self._retrying(
                    lambda: referrers.list_referrers(opened, digest, artifact_type=artifact_type)
                )

    async def delete(self, reference: str) -> None:
        """Delete a tag; or with a digest a manifest, and with it all tags it has."""
        full = Reference.parse(reference)
        with step(f"delete {full}"):
            async with self._registries.repository(full, actions=DELETE) as opened:
                if full.digest is None:
                    await self._retrying(lambda: opened.delete_manifest(_wanted(full)))
                else:
                    await self._delete_manifest(opened, full.digest)

    async def copy(
        self,
        source: str,
        target: str,
        *,
        platform: str | None = None,
        with_referrers: bool = False,
        progress: Callable[[PushProgress], None] = lambda _: None,
    ) -> Sent:
        """Copy an image, byte for byte, without keeping it here.

        All of an index, unless a platform is given; with what refers to it, if that is asked for.
        """
        origin, full = Reference.parse(source), Reference.parse(target)
        here, there = map(self._registries.location, (origin, full))
        same_registry = here.domain == there.domain and here.path != there.path
        with step(f"copy {origin} to {full}"):
            async with AsyncExitStack() as stack:
                came_from = await stack.enter_async_context(self._registries.repository(origin))
                goes_to = await stack.enter_async_context(
                    self._registries.repository(
                        full, actions=PUSH, also_pull=[here.path] if same_registry else []
                    )
                )
                entry = await self._retrying(lambda: _resolve(came_from, _wanted(origin), platform))
                if full.digest not in (None, entry.digest):
                    raise Invalid(f"the source is {entry.digest}")

                transfer = Transfer(
                    _RepositoryOrigin(came_from, self._retrying),
                    goes_to,
                    reference=str(full),
                    patience=self._registries.patience,
                    slots=self._registries.slots(goes_to),
                    report=progress,
                    mount_from=lambda _: here.path if same_registry else None,
                    chunk=self._registries.chunk,
                )
                sent = await transfer.send(entry, tags=[full.tag] if full.tag else [])
                if with_referrers:
                    listed = await self._retrying(
                        lambda: referrers.list_referrers(came_from, entry.digest)
                    )
                    for referrer in listed:
                        await transfer.send(referrer)
                return sent

    async def _delete_manifest(self, opened: Repository, digest: Digest) -> None:
        fetched = await self._retrying(lambda: opened.manifest(str(digest)))
        document = documents.parse(fetched.data, content_type=fetched.content_type)
        await self._retrying(lambda: opened.delete_manifest(str(digest)))
        if document.subject is not None:
            subject = document.subject.digest
            await self._retrying(lambda: referrers.remove_from_fallback(opened, subject, digest))

    async def _digest(self, opened: Repository, full: Reference) -> Digest:
        return full.digest or (await self._retrying(lambda: opened.head(_wanted(full)))).digest

    async def _retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        return await retrying(
            attempt, patience=self._registries.patience, on_wait=lambda _error, _delay_s: None
        )


class _RepositoryOrigin:
    """A repository, as what `Transfer` takes its parts from."""

    def __init__(
        self,
        opened: Repository,
        retry: Callable[[Callable[[], Awaitable[bytes]]], Awaitable[bytes]],
    ) -> None:
        self._opened = opened
        self._retry = retry

    async def document(self, descriptor: Descriptor) -> bytes:
        async def fetched() -> bytes:
            return (await self._opened.manifest(str(descriptor.digest))).data

        return await self._retry(fetched)

    @asynccontextmanager
    async def content(self, descriptor: Descriptor) -> AsyncGenerator[Content]:
        blob = _RemoteBlob(self._opened, descriptor)
        try:
            yield blob
        finally:
            await blob.close()


class _RemoteBlob:
    """A blob of another repository: one stream, opened anew only where somebody goes back."""

    def __init__(self, opened: Repository, descriptor: Descriptor) -> None:
        self._opened = opened
        self._descriptor = descriptor
        self._stack = AsyncExitStack()
        self._pieces: AsyncIterator[bytes] | None = None
        self._left = b""
        self._position = 0

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        if self._pieces is None or self._position != offset:
            await self._open(offset)
        end = offset + length
        while self._position < end:
            piece = self._left or await self._next()
            taken, self._left = piece[: end - self._position], piece[end - self._position :]
            self._position += len(taken)
            yield taken

    async def close(self) -> None:
        self._pieces = None
        await self._stack.aclose()

    async def _open(self, offset: int) -> None:
        await self.close()
        answer = await self._stack.enter_async_context(
            self._opened.blob(self._descriptor, offset=offset)
        )
        self._pieces, self._left = answer.pieces(), b""
        self._position = offset
        # a server that knows no ranges sends all of it
        skip = offset if answer.status == 200 else 0
        while skip:
            piece = await self._next()
            self._left = piece[skip:]
            skip = max(0, skip - len(piece))

    async def _next(self) -> bytes:
        assert self._pieces is not None, "the blob is not open"
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            self._pieces = None
            raise Unavailable(
                f"it ended after {self._position} of {self._descriptor.size} bytes"
            ) from None
        except BaseException:
            self._pieces = None
            raise


async def _resolve(opened: Repository, name: str, platform: str | None) -> Descriptor:
    """The entry that a name stands for, or of its index the one for a platform."""
    for _ in range(DEPTH_LIMIT + 1):
        document = await opened.manifest(name)
        parsed = documents.parse(document.data, content_type=document.content_type)
        if platform is None or not isinstance(parsed, Index):
            return Descriptor(
                media_type=parsed.media_type, digest=document.digest, size=len(document.data)
            )
        name = str(choose(parsed.manifests, Platform.parse(platform)).digest)

    raise Corrupt(f"indexes are nested more than {DEPTH_LIMIT} deep")


def _wanted(reference: Reference) -> str:
    return str(reference.digest or reference.tag)
