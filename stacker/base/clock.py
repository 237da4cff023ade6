"""The clock, as a value that is passed: pure code takes times, the rest takes a `Clock`.

Delays run on `boottime`, which goes on through suspend and which no one can set; `now` is for
showing and for records only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def monotonic() -> float:
    """Seconds since some moment, standing still during suspend."""
    return time.monotonic()


def boottime() -> float:
    """Seconds since the machine was booted, suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The three clocks; a test passes its own."""

    monotonic: Callable[[], float] = monotonic
    boottime: Callable[[], float] = boottime
    now: Callable[[], datetime] = now


SYSTEM = Clock()
