"""A loop that nothing ends but its cancellation: a bug in it is logged, and it begins again.

For the tasks that everything depends on. What a caller waits for is never run like this: there, an
error is an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio

log = logging.getLogger(__name__)

PAUSE_S = 1.0


async def endure(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run until cancelled, again and again; return when ``run`` returns by itself."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("%s", name)
            await anyio.sleep(PAUSE_S)
        else:
            return
