"""The verbs of the distribution specification that a pull needs, for one repository.

Each method makes one attempt: `Unavailable` means that another may help, and the loop is `pull`'s.
Digests are computed here for documents; blobs are verified where they are kept.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import hdrs
from yarl import URL

from stacker.base.errors import Corrupt, Unavailable
from stacker.drivers.images import trust
from stacker.drivers.images.answers import raise_for
from stacker.drivers.images.auth import Authorizer
from stacker.drivers.images.transport import Answer, Transport
from stacker.oci import challenge, digest, media_types
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.fields import DOCUMENT_LIMIT

CONTENT_DIGEST = "Docker-Content-Digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedDocument:
    data: bytes
    digest: Digest
    content_type: str | None


class Registry:
    """One repository, over an open transport."""

    def __init__(self, transport: Transport, authorizer: Authorizer, *, path: str) -> None:
        self._transport = transport
        self._authorizer = authorizer
        self._path = path
        self._base: URL | None = None

    async def manifest(self, tag_or_digest: str) -> FetchedDocument:
        """Fetch a manifest or index; the digest is that of the bytes."""
        wanted = Digest.parse(tag_or_digest) if ":" in tag_or_digest else None
        async with self._get(
            f"manifests/{tag_or_digest}", headers={hdrs.ACCEPT: media_types.ACCEPT}
        ) as answer:
            if answer.status != 200:
                await raise_for(answer)
            data = await answer.body(limit=DOCUMENT_LIMIT)
            named = answer.header(CONTENT_DIGEST)
            content_type = answer.header(hdrs.CONTENT_TYPE)

        expected = wanted or (Digest.parse(named) if named else None)
        actual = digest.of(data, algorithm=expected.algorithm if expected else "sha256")
        if expected is not None and actual != expected:
            raise Corrupt(f"the bytes of {expected} have the digest {actual}")

        return FetchedDocument(data=data, digest=actual, content_type=content_type)

    @asynccontextmanager
    async def blob(self, descriptor: Descriptor, *, offset: int = 0) -> AsyncGenerator[Answer]:
        """Open a blob; where `offset` is given and honoured, the status is 206."""
        headers = {str(hdrs.RANGE): f"bytes={offset}-"} if offset else {}
        async with self._get(f"blobs/{descriptor.digest}", headers=headers) as answer:
            if answer.status not in (200, 206):
                await raise_for(answer)
            if answer.status == 206:
                _check_range(answer, offset=offset, size=descriptor.size)
            elif answer.length not in (None, descriptor.size):
                raise Corrupt(f"it has {answer.length} bytes, not {descriptor.size}")

            yield answer

    @asynccontextmanager
    async def _get(self, rest: str, *, headers: Mapping[str, str]) -> AsyncGenerator[Answer]:
        """One request, and one more with new credentials when the first is refused."""
        base = await self._base_url()
        # the path's grammar and a digest's colon need no escape in a URL
        url = base.with_path(f"/v2/{self._path}/{rest}", encoded=True)
        for last in (False, True):
            header = self._authorizer.header
            async with self._transport.request(
                url, headers=headers, authorization=header
            ) as answer:
                if answer.status != 401 or not trust.same_origin(answer.url, url):
                    yield answer
                    return
                if last:
                    raise self._authorizer.refusal(base)

                challenges = challenge.parse_all(answer.headers(hdrs.WWW_AUTHENTICATE))
            await self._authorizer.answer(challenges, registry=base, refused=header)

    async def _base_url(self) -> URL:
        """https, or http where that is allowed and the other side does not speak TLS."""
        if self._base is None:
            home = self._transport.home
            self._base = home.url("https")
            if home.plain_allowed and not await self._speaks_tls(self._base):
                self._base = home.url("http")
        return self._base

    async def _speaks_tls(self, base: URL) -> bool:
        try:
            async with self._transport.request(base.with_path("/v2/")):
                return True
        except Unavailable:
            return False


def _check_range(answer: Answer, *, offset: int, size: int) -> None:
    """A 206 that starts elsewhere would splice foreign bytes in; the digest would see it late."""
    expected = f"bytes {offset}-{size - 1}/"
    got = answer.header(hdrs.CONTENT_RANGE) or ""
    if not got.startswith(expected) or got[len(expected) :] not in (str(size), "*"):
        raise Corrupt(f"asked for {expected}{size}, got {got[:60]!r}")
