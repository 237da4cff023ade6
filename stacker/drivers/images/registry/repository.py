"""The verbs of the distribution specification for one repository, but for uploads of blobs.

Each method makes one attempt: `Unavailable` means that another may help. Digests are computed here
for documents; blobs are verified where they are kept.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import hdrs

from stacker.base.errors import Corrupt, Invalid, Unsupported
from stacker.drivers.images.registry import pages
from stacker.drivers.images.registry.answers import raise_for
from stacker.drivers.images.registry.body import Body
from stacker.drivers.images.registry.connection import Connection
from stacker.drivers.images.registry.transport import Answer
from stacker.oci import digest as digests
from stacker.oci import media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.fields import DOCUMENT_LIMIT

CONTENT_DIGEST = "Docker-Content-Digest"
SUBJECT = "OCI-Subject"
PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedDocument:
    data: bytes
    digest: Digest
    content_type: str | None


class Repository:
    """One repository of one registry, over an open connection."""

    def __init__(self, connection: Connection, *, path: str) -> None:
        self.connection = connection
        self.path = path

    @property
    def name(self) -> str:
        return f"{self.connection.domain}/{self.path}"

    async def manifest(self, tag_or_digest: str) -> FetchedDocument:
        """Fetch a manifest or index; the digest is that of the bytes."""
        wanted = Digest.parse(tag_or_digest) if ":" in tag_or_digest else None
        url = await self.connection.url(f"{self.path}/manifests/{tag_or_digest}")
        async with self.connection.request(
            "GET", url, headers={hdrs.ACCEPT: media_types.ACCEPT}
        ) as answer:
            if answer.status != 200:
                await raise_for(answer)
            data = await answer.body(limit=DOCUMENT_LIMIT)
            named = answer.header(CONTENT_DIGEST)
            content_type = answer.header(hdrs.CONTENT_TYPE)

        expected = wanted or (_digest(named) if named else None)
        actual = digests.of(data, algorithm=expected.algorithm if expected else "sha256")
        if expected is not None and actual != expected:
            raise Corrupt(f"the bytes of {expected} have the digest {actual}")

        return FetchedDocument(data=data, digest=actual, content_type=content_type)

    async def head(self, tag_or_digest: str) -> Descriptor:
        """What a name stands for now, without fetching it."""
        url = await self.connection.url(f"{self.path}/manifests/{tag_or_digest}")
        async with self.connection.request(
            "HEAD", url, headers={hdrs.ACCEPT: media_types.ACCEPT}
        ) as answer:
            if answer.status != 200:
                await raise_for(answer)
            named, length = answer.header(CONTENT_DIGEST), answer.length
            content_type = media_types.essence(answer.header(hdrs.CONTENT_TYPE) or "")

        if named and length is not None:
            digest = _digest(named)
            return Descriptor(media_type=content_type, digest=digest, size=length)

        # the specification lets a registry leave these headers out
        document = await self.manifest(tag_or_digest)
        return Descriptor(
            media_type=media_types.essence(document.content_type or ""),
            digest=document.digest,
            size=len(document.data),
        )

    async def put_manifest(self, name: str, data: bytes, *, media_type: str) -> bool:
        """Put a manifest or index under a tag or its digest.

        Whether the registry keeps the list of referrers itself; False as well where the document
        has no subject.
        """
        url = await self.connection.url(f"{self.path}/manifests/{name}")
        body = Body.of(data, media_type=media_type)
        async with self.connection.request("PUT", url, body=body) as answer:
            if answer.status not in (200, 201, 202):
                await raise_for(answer)
            named = answer.header(CONTENT_DIGEST)
            keeps_referrers = answer.header(SUBJECT) is not None

        if named:
            kept = _digest(named)
            if kept != digests.of(data, algorithm=kept.algorithm):
                raise Corrupt(f"{self.name} says that it has kept {kept}, which was not sent")
        return keeps_referrers

    async def delete_manifest(self, tag_or_digest: str) -> None:
        """Delete a tag, or a manifest with all its tags."""
        url = await self.connection.url(f"{self.path}/manifests/{tag_or_digest}")
        async with self.connection.request("DELETE", url) as answer:
            if answer.status in (400, 405) and ":" not in tag_or_digest:
                raise Unsupported(
                    f"{self.connection.domain} cannot delete a tag alone, only what it stands for, "
                    "by its digest"
                )
            if answer.status not in (200, 202, 204):
                await raise_for(answer)

    async def tags(self) -> tuple[str, ...]:
        """All tags, sorted."""
        url = await self.connection.url(f"{self.path}/tags/list", {"n": str(PAGE_SIZE)})
        return await pages.names(self.connection, url, "tags")

    async def has_blob(self, descriptor: Descriptor) -> bool:
        url = await self.connection.url(f"{self.path}/blobs/{descriptor.digest}")
        async with self.connection.request("HEAD", url) as answer:
            if answer.status == 404:
                return False
            if answer.status != 200:
                await raise_for(answer)
            return answer.length in (None, descriptor.size)

    @asynccontextmanager
    async def blob(self, descriptor: Descriptor, *, offset: int = 0) -> AsyncGenerator[Answer]:
        """Open a blob; where `offset` is given and honoured, the status is 206."""
        url = await self.connection.url(f"{self.path}/blobs/{descriptor.digest}")
        headers = {str(hdrs.RANGE): f"bytes={offset}-"} if offset else {}
        async with self.connection.request("GET", url, headers=headers) as answer:
            if answer.status not in (200, 206):
                await raise_for(answer)
            if answer.status == 206:
                _check_range(answer, offset=offset, size=descriptor.size)
            elif answer.length not in (None, descriptor.size):
                raise Corrupt(f"it has {answer.length} bytes, not {descriptor.size}")

            yield answer


async def repositories(connection: Connection) -> tuple[str, ...]:
    """The catalog of a registry, where it has one."""
    url = await connection.url("_catalog", {"n": str(PAGE_SIZE)})
    return await pages.names(connection, url, "repositories")


async def check_login(connection: Connection) -> None:
    """Whether the registry takes the credentials; raises Denied."""
    async with connection.request("GET", await connection.url("")) as answer:
        if answer.status != 200:
            await raise_for(answer)


def _check_range(answer: Answer, *, offset: int, size: int) -> None:
    """A 206 that starts elsewhere would splice foreign bytes in; the digest would see it late."""
    expected = f"bytes {offset}-{size - 1}/"
    got = answer.header(hdrs.CONTENT_RANGE) or ""
    if not got.startswith(expected) or got[len(expected) :] not in (str(size), "*"):
        raise Corrupt(f"asked for {expected}{size}, got {got[:60]!r}")


def _digest(named: str) -> Digest:
    """What a registry says in a header."""
    try:
        return Digest.parse(named)
    except Invalid as error:
        raise Corrupt(f"{CONTENT_DIGEST}: {error.message}") from error
