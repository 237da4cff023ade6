"""Several coroutines side by side, with one error out of them instead of a group."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, cast

import anyio

from stacker.base.errors import StackerError


async def run_all(calls: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Run all to their end; the first that fails cancels the others, and its error is raised."""
    try:
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(call)
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
