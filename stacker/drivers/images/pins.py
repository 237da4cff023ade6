"""What pulls and loads under way still need, though no name leads to it yet.

Pinning and collecting exclude each other: what has been pinned stays until the work is done, and
what is looked for after pinning is not removed between the look and the use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager

import anyio

from stacker.oci.digest import Digest


class Pins:
    """For one event loop."""

    def __init__(self) -> None:
        self._counts: Counter[Digest] = Counter()
        self._lock = anyio.Lock()

    @contextmanager
    def held(self) -> Generator[PinSet]:
        """Keep what is added to the set, for as long as the block runs."""
        pins = PinSet(self._counts, self._lock)
        try:
            yield pins
        finally:
            pins.release()

    @asynccontextmanager
    async def frozen(self) -> AsyncGenerator[frozenset[Digest]]:
        """All that is pinned; nothing is added while the block runs."""
        async with self._lock:
            yield frozenset(self._counts)


class PinSet:
    """The pins of one piece of work."""

    def __init__(self, counts: Counter[Digest], lock: anyio.Lock) -> None:
        self._counts = counts
        self._lock = lock
        self._own: set[Digest] = set()

    async def add(self, digests: Iterable[Digest]) -> None:
        async with self._lock:
            fresh = set(digests) - self._own
            self._own |= fresh
            self._counts.update(fresh)

    def release(self) -> None:
        for digest in self._own:
            self._counts[digest] -= 1
            if not self._counts[digest]:
                del self._counts[digest]
        self._own.clear()
