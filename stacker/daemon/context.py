"""What every handler can reach, and which operations are under way."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from aiohttp import web
from anyio.abc import TaskGroup

from stacker.daemon.settings import Settings
from stacker.engine.engine import Engine

MAX_EXECS = 256


class Activity:
    """Counts the requests that are being carried out; streams that only watch do not count."""

    def __init__(self) -> None:
        self._running = 0
        self._served = 0
        self._changed = anyio.Event()

    @contextmanager
    def counted(self) -> Generator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._served += 1
            self._changed.set()
            self._changed = anyio.Event()

    @property
    def is_idle(self) -> bool:
        return self._running == 0

    async def until_idle(self) -> None:
        while self._running:
            await self._changed.wait()

    async def until_used(self) -> None:
        """Wait until the first request has been carried out."""
        while not self._served:
            await self._changed.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    engine: Engine
    tasks: TaskGroup
    """For what goes on when the request that asked for it is gone."""
    settings: Settings
    activity: Activity = field(default_factory=Activity)
    execs: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(MAX_EXECS))
    """Each exec session holds a connection and three pipes."""


CONTEXT = web.AppKey("context", Context)


def context_of(request: web.Request) -> Context:
    return request.app[CONTEXT]
