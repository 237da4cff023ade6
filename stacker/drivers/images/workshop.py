"""What all pulls and loads of one store share: the store, its threads, locks and pins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread

from stacker.drivers.images.keyed_locks import KeyedLocks
from stacker.drivers.images.pins import Pins
from stacker.drivers.images.store import Store

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    store: Store
    threads: CapacityLimiter
    """Bounds the threads that decompress and hash; more than there are processors gain nothing."""
    blob_locks: KeyedLocks = field(default_factory=KeyedLocks)
    """One download of a blob, however many pulls want it."""
    pins: Pins = field(default_factory=Pins)

    async def clean_up(
        self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Take away what was half made, in a thread: it may be a million files. A cancellation,
        which is often why it is taken away, waits for it."""
        with CancelScope(shield=True):
            await to_thread.run_sync(partial(function, *args, **kwargs))

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what blocks or computes; a cancellation waits for it, and never runs beside it."""
        return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self.threads)
