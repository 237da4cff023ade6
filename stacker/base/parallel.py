"""Several coroutines side by side, with one error out of them instead of a group."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, cast

import anyio

from stacker.base.errors import StackerError


async def run_all(
    calls: Iterable[Callable[[], Coroutine[Any, Any, None]]], *, at_once: float = math.inf
) -> None:
    """Run all to their end, so many at a time.

    The first that fails cancels the others, and its error is raised when all have stopped.
    """
    limiter = anyio.CapacityLimiter(at_once)

    async def run(call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with limiter:
            try:
                await call()
            except StackerError:
                group.cancel_scope.cancel()  # before the next in line gets this one's turn
                raise

    try:
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(run, call)
    except BaseExceptionGroup as errors:
        for error in _leaves(errors):
            if isinstance(error, StackerError):
                raise error from error.__cause__
        raise


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(inner)
    else:
        yield error
