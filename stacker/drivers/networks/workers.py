"""Blocking work in a few worker threads, and the translation of what it raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, to_thread

from stacker.base.errors import Failed
from stacker.drivers.networks.netlink.conversation import Refused

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

AT_ONCE = 2
"""The kernel changes links one at a time (the rtnl lock): more threads would only wait."""


class Workers:
    """Runs functions in threads; ``step`` names the object and the step for a message."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(AT_ONCE)

    async def __call__(
        self,
        step: str,
        function: Callable[[*Arguments], T],
        *arguments: *Arguments,
    ) -> T:
        try:
            return await to_thread.run_sync(function, *arguments, limiter=self._limiter)
        except Refused as error:
            raise Failed(f"{step}: {error}") from error
        except OSError as error:
            raise Failed(f"{step}: {error.strerror or error}".lower()) from error
