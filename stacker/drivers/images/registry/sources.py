"""Where a pull gets its parts: the mirrors of a registry, and the registry itself as the last.

A mirror that fails, refuses or lies is passed over; what it has said of a digest is verified like
anything else. Each place has its own credentials and certificates.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from stacker.base.errors import Corrupt, Denied, Failed, NotFound, StackerError, Unavailable
from stacker.drivers.images.registry.repository import FetchedDocument, Repository
from stacker.drivers.images.registry.transport import Answer
from stacker.oci import documents
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest

PASSED_OVER = (Corrupt, Denied, Failed, NotFound, Unavailable)
"""What a mirror may do without stopping a pull."""


class Sources:
    """The places of one repository; each is opened when it is first needed."""

    def __init__(
        self,
        places: Sequence[Callable[[], Awaitable[Repository]]],
        *,
        slots: Callable[[Repository], anyio.Semaphore],
        on_pass: Callable[[StackerError], None] = lambda _: None,
    ) -> None:
        """`slots` bounds what is asked of a registry at once; `on_pass` gets why a mirror has been
        passed over."""
        self._places = tuple(places)
        self._slots = slots
        self._opened: dict[int, Repository] = {}
        self._lock = anyio.Lock()
        self._first = 0
        """Mirrors before this one are not asked for anything any more."""
        self._first_of: dict[Digest, int] = {}
        self._served: dict[Digest, int] = {}
        self.on_pass = on_pass

    async def manifest(self, tag_or_digest: str) -> FetchedDocument:
        """The document, from the first place that has it."""
        for number in range(self._first, len(self._places)):
            try:
                repository = await self._open(number)
                async with self._slots(repository):
                    document = await repository.manifest(tag_or_digest)
                # a page that asks to log in, say, is an answer too
                documents.parse(document.data, content_type=document.content_type)
                return document
            except PASSED_OVER as error:
                if not self._pass(number, error):
                    raise
        raise AssertionError("the last place has raised")

    async def head(self, tag_or_digest: str) -> Digest:
        """What a name stands for, by the first place."""
        repository = await self._open(self._first)
        async with self._slots(repository):
            return (await repository.head(tag_or_digest)).digest

    @asynccontextmanager
    async def blob(self, descriptor: Descriptor, *, offset: int = 0) -> AsyncGenerator[Answer]:
        """Open a blob where it is; one that breaks is opened elsewhere the next time."""
        digest = descriptor.digest
        while True:
            number = self._place_of(digest)
            handed = False
            try:
                repository = await self._open(number)
                async with (
                    self._slots(repository),
                    repository.blob(descriptor, offset=offset) as answer,
                ):
                    handed = True
                    self._served[digest] = number
                    yield answer
                    return
            except PASSED_OVER as error:
                # what else goes wrong with the bytes is the reader's, and may be our own disk's
                ours = handed and not isinstance(error, Unavailable)
                if ours or not self._pass(number, error, digest):
                    raise
                if handed:
                    raise Unavailable(error.message, retry_after_s=0) from error

    def distrust(self, digest: Digest, error: Corrupt) -> bool:
        """What was got for a digest is wrong: whether there is another place to get it from."""
        served = self._served.get(digest, 0)
        # it may be passed over already, for what it has done to another blob
        return served < self._place_of(digest) or self._pass(served, error, digest)

    def _place_of(self, digest: Digest) -> int:
        return max(self._first, self._first_of.get(digest, 0))

    def _pass(self, number: int, error: StackerError, digest: Digest | None = None) -> bool:
        """Go on to the next place, for a digest or, where nothing answers, for everything."""
        if number + 1 == len(self._places):
            return False

        if isinstance(error, Unavailable):
            self._first = max(self._first, number + 1)
        elif digest is not None:
            self._first_of[digest] = number + 1
        self.on_pass(error)
        return True

    async def _open(self, number: int) -> Repository:
        async with self._lock:
            if number not in self._opened:
                self._opened[number] = await self._places[number]()
            return self._opened[number]
