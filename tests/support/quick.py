"""Bounds on time, for code that a hostile input must not be able to slow down."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

from tests.support.slowness import SLOWNESS

T = TypeVar("T")

TRIES = 4


def quick(action: Callable[[], T], *, limit_s: float) -> T:
    """Run within so much processor time; again when it took longer, for the clock is noisy.

    What hundreds of other tests have left in memory is not the action's to walk.
    """
    limit_s *= SLOWNESS
    gc.collect()
    gc.freeze()
    took: list[float] = []
    for _ in range(TRIES):
        began = time.process_time()
        result = action()
        took.append(time.process_time() - began)
        if took[-1] < limit_s:
            return result
    raise AssertionError(f"took {min(took):.2f} s of {limit_s} s")
