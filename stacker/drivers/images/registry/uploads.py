"""Bringing one blob into a repository: found there, mounted from another one, or sent.

A blob of up to `CHUNK` bytes goes in one request, a larger one in chunks, so that after a fault the
registry is asked how far it has come. A registry that refuses one way is tried with the other.
`attempt` makes one attempt and is called again after `Unavailable`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Protocol

from aiohttp import hdrs
from yarl import URL

from stacker.base.errors import (
    Corrupt,
    Denied,
    Failed,
    NotFound,
    StackerError,
    Unavailable,
    Unsupported,
)
from stacker.drivers.images.registry.answers import raise_for
from stacker.drivers.images.registry.body import Body
from stacker.drivers.images.registry.repository import Repository
from stacker.drivers.images.registry.transport import Answer
from stacker.oci.descriptor import Descriptor

CHUNK = 32 * 1024 * 1024
LARGEST_CHUNK = 1024 * 1024 * 1024
MEDIA_TYPE = "application/octet-stream"
WRONG_WAY = frozenset({400, 404, 405, 411, 413, 415, 501})
"""What registries answer to a body of the size or in the place that they do not take."""
UNMOUNTABLE = (Denied, Failed, NotFound, Unsupported)
"""A blob that may not be read where it is may still be sent."""

_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")


class Content(Protocol):
    """Where the bytes of a blob come from."""

    def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Just those bytes, or an error; may be asked again, from another offset on."""
        ...


class Way(Enum):
    """How a blob has come to be in the repository."""

    PRESENT = auto()
    MOUNTED = auto()
    SENT = auto()


class Upload:
    """One blob on its way into one repository."""

    def __init__(
        self,
        repository: Repository,
        descriptor: Descriptor,
        content: Content,
        *,
        mount_from: str | None = None,
        chunk: int = CHUNK,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`mount_from` is the path of a repository of the same registry that has the blob.

        `on_bytes` gets how many bytes have been sent.
        """
        self._repository = repository
        self._connection = repository.connection
        self._descriptor = descriptor
        self._content = content
        self._mount_from = mount_from
        self._chunk = chunk
        self._on_bytes = on_bytes
        self._whole = descriptor.size <= chunk
        self._both_tried = False
        self._session: URL | None = None
        self._offset = 0

    async def attempt(self) -> Way:
        """Have the blob there."""
        if await self._repository.has_blob(self._descriptor):
            return Way.PRESENT
        if self._session is not None and not await self._find_offset(self._session):
            self._session = None
        if self._session is None and await self._begin():
            return Way.MOUNTED

        while True:
            refusal = await (self._send_whole() if self._whole else self._send_chunks())
            if refusal is None:
                return Way.SENT

            if self._both_tried:
                raise refusal
            self._whole, self._both_tried = not self._whole, True
            self._session = None
            await self._begin()

    async def _begin(self) -> bool:
        """Open a session, or have the blob mounted: then there is nothing left to do."""
        # mounting is tried once: a registry that did not do it would be asked at every attempt
        source, self._mount_from = self._mount_from, None
        if source is not None:
            with suppress(*UNMOUNTABLE):
                return await self._ask({"mount": str(self._descriptor.digest), "from": source})
        return await self._ask({})

    async def _ask(self, query: dict[str, str]) -> bool:
        url = await self._connection.url(f"{self._repository.path}/blobs/uploads/", query)
        async with self._connection.request("POST", url) as answer:
            if answer.status == 201 and query:
                return True
            if answer.status != 202:
                await raise_for(answer)
            self._go_on_at(answer)
            self._offset = 0
            least = answer.header("OCI-Chunk-Min-Length") or ""
            if least.isdecimal() and len(least) < 12:
                self._chunk = min(max(self._chunk, int(least)), LARGEST_CHUNK)
            return False

    async def _send_whole(self) -> StackerError | None:
        size = self._descriptor.size
        return await self._close(self._body(0, size))

    async def _send_chunks(self) -> StackerError | None:
        size = self._descriptor.size
        while self._offset < size:
            start, length = self._offset, min(self._chunk, size - self._offset)
            async with self._connection.request(
                "PATCH",
                self._open_session(),
                headers={hdrs.CONTENT_RANGE: f"{start}-{start + length - 1}"},
                body=self._body(start, length),
            ) as answer:
                if answer.status in WRONG_WAY:
                    return await _error(answer)
                if answer.status == 416:
                    raise Unavailable(f"{self._repository.name} has lost count of an upload")
                if answer.status not in (201, 202, 204):
                    await raise_for(answer)
                self._go_on_at(answer)
                self._offset = self._kept(answer, start=start, end=start + length)
                if self._offset == start:
                    raise Unavailable(f"{self._repository.name} keeps nothing of what is sent")
            self._on_bytes(self._offset)

        return await self._close(None)

    async def _close(self, body: Body | None) -> StackerError | None:
        """End the session, with the bytes if none have been sent."""
        url = self._open_session().extend_query({"digest": str(self._descriptor.digest)})
        async with self._connection.request(
            "PUT", url, body=body, answer_s=self._connection.patience.commit_s
        ) as answer:
            if answer.status in WRONG_WAY:
                return await _error(answer)
            if answer.status not in (201, 204):
                await raise_for(answer)
        self._on_bytes(self._descriptor.size)
        return None

    async def _find_offset(self, session: URL) -> bool:
        """Ask how far the upload has come; False when the registry has forgotten it."""
        async with self._connection.request("GET", session) as answer:
            if answer.status not in (200, 202, 204):
                return False
            if answer.header(hdrs.LOCATION):
                self._go_on_at(answer)
            self._offset = self._kept(answer, start=0, end=self._descriptor.size)
            return True

    def _kept(self, answer: Answer, *, start: int, end: int) -> int:
        """How many bytes the registry has, by what it says."""
        said = answer.header(hdrs.RANGE)
        if said is None:
            return end
        match = _RANGE.fullmatch(said)
        kept = int(match[1]) + 1 if match else -1
        if kept == 1 and end != 1:
            kept = 0  # `0-0` stands for an empty upload, and for one of a single byte
        if not start <= kept <= end:
            raise Corrupt(f"{self._repository.name} says {said[:40]!r} of an upload up to {end}")

        return kept

    def _body(self, offset: int, length: int) -> Body:
        async def pieces() -> AsyncIterator[bytes]:
            sent = offset
            async for piece in self._content.read(offset, length):
                yield piece
                sent += len(piece)
                self._on_bytes(sent)

        return Body(size=length, media_type=MEDIA_TYPE, open=pieces)

    def _go_on_at(self, answer: Answer) -> None:
        self._session = self._connection.location(answer, answer.header(hdrs.LOCATION))

    def _open_session(self) -> URL:
        assert self._session is not None, "no upload session"
        return self._session


async def _error(answer: Answer) -> StackerError:
    try:
        await raise_for(answer)
    except StackerError as error:
        return error
