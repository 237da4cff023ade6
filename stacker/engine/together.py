"""Several pieces of work that succeed or fail as one."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable

import anyio

from stacker.base.errors import StackerError


async def together(
    calls: Iterable[Callable[[], Awaitable[None]]], *, at_once: float = math.inf
) -> None:
    """Run all, so many at a time; raise the first error, when all have stopped."""
    errors: list[StackerError] = []
    limiter = anyio.CapacityLimiter(at_once)

    async def run(call: Callable[[], Awaitable[None]]) -> None:
        async with limiter:
            try:
                await call()
            except StackerError as error:
                errors.append(error)
                tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(run, call)
    if errors:
        raise errors[0]
