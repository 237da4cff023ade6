"""Counters of two samples → rates, smoothed, with a short history for the eye. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from stacker.wire.replies import StatsRow

SMOOTHING = 0.5
"""Weight of the newest sample in a rate: a sort by processor time does not flicker."""

HISTORY = 12
BARS = "▁▂▃▄▅▆▇█"
FULL = 10.0
"""Per cent of a processor that fill a bar when nothing is busier: idling looks like idling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What is computed from two samples; None until there are two."""

    cpu_percent: float | None = None
    """Of one processor."""
    received_per_s: float | None = None
    sent_per_s: float | None = None
    trend: tuple[float, ...] = ()
    """The latest processor percentages as they were measured, oldest first."""


def fold(before: StatsRow | None, now: StatsRow, known: Rates | None) -> Rates:
    """Fold one more sample into the rates."""
    old = known or Rates()
    if before is None or now.at <= before.at:
        return old
    seconds = now.at - before.at
    cpu = _per_s(before.cpu_ns, now.cpu_ns, seconds * 1e7)
    return Rates(
        cpu_percent=_blend(old.cpu_percent, cpu),
        received_per_s=_blend(
            old.received_per_s, _per_s(before.received_bytes, now.received_bytes, seconds)
        ),
        sent_per_s=_blend(old.sent_per_s, _per_s(before.sent_bytes, now.sent_bytes, seconds)),
        trend=(*old.trend, cpu or 0.0)[-HISTORY:],
    )


def total(rates: list[Rates]) -> Rates:
    """Add the rates of several containers up."""
    return Rates(
        cpu_percent=_sum([rate.cpu_percent for rate in rates]),
        received_per_s=_sum([rate.received_per_s for rate in rates]),
        sent_per_s=_sum([rate.sent_per_s for rate in rates]),
    )


def spark(trend: tuple[float, ...]) -> str:
    """Draw the history as bars, newest at the right."""
    scale = max((*trend, FULL))
    return "".join(BARS[min(7, int(value / scale * 8))] for value in trend)


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _per_s(before: int | None, now: int | None, seconds: float) -> float | None:
    if before is None or now is None:
        return None
    return max(0, now - before) / seconds


def _blend(old: float | None, new: float | None) -> float | None:
    if new is None or old is None:
        return old if new is None else new
    return old + (new - old) * SMOOTHING
