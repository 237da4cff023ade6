"""Work that is the same however often it is asked for: one run in flight, the rest join the next.

Fifty containers that start at once ask fifty times that rules be applied and state be saved; two
or three runs do it. Whoever asks waits for a run that began after the question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio


class Coalesced:
    """Runs one function; an error goes to everybody who waited for that run."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._lock = anyio.Lock()
        self._asked = 0
        self._done = 0
        self._failed: dict[int, Exception] = {}

    async def __call__(self) -> None:
        self._asked += 1
        mine = self._asked
        async with self._lock:
            if mine > self._done:
                await self._run()
        error = self._failed.get(mine)
        if error is not None:
            raise error

    async def _run(self) -> None:
        first, last = self._done + 1, self._asked
        self._failed.clear()
        try:
            await self._work()
        except Exception as error:
            self._failed = dict.fromkeys(range(first, last + 1), error)
        self._done = last
