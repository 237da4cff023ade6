"""Trying again: the loop around every request of a pull.

Only `Unavailable` is tried again; every other error means that another try would give the same.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from stacker.base.errors import Unavailable
from stacker.drivers.images.registry.patience import Patience

T = TypeVar("T")


async def retrying(
    step: Callable[[], Awaitable[T]],
    *,
    patience: Patience,
    on_wait: Callable[[Unavailable, float], None],
) -> T:
    """Run a step until it succeeds or its tries are used up; `on_wait` gets error and delay."""
    attempt = 1
    while True:
        try:
            return await step()
        except Unavailable as error:
            delay_s = patience.delay_s(
                attempt, retry_after_s=error.retry_after_s, jitter=random.random()
            )
            if delay_s is None:
                raise

            on_wait(error, delay_s)
            await anyio.sleep(delay_s)
            attempt += 1
