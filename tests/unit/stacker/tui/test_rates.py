"""Rates from counters."""

from __future__ import annotations

from stacker.tui.rates import HISTORY, Rates, fold, spark, total
from stacker.wire.replies import StatsRow


def sample(at: float, **more: int) -> StatsRow:
    return StatsRow(
        container_id="1", container="shop-web-1", stack="shop", service="web", at=at, **more
    )


def test_rates_need_two_samples_and_are_smoothed() -> None:
    first = sample(1.0, cpu_ns=0, received_bytes=0, sent_bytes=0)
    second = sample(2.0, cpu_ns=500_000_000, received_bytes=2048, sent_bytes=0)
    assert fold(None, first, None) == Rates()
    once = fold(first, second, None)
    assert once == Rates(cpu_percent=50.0, received_per_s=2048.0, sent_per_s=0.0, trend=(50.0,))
    third = sample(3.0, cpu_ns=500_000_000, received_bytes=2048, sent_bytes=0)
    twice = fold(second, third, once)
    assert (twice.cpu_percent, twice.trend) == (25.0, (50.0, 0.0))


def test_a_restarted_container_does_not_count_backwards() -> None:
    before = sample(1.0, cpu_ns=10**9, received_bytes=10**6, sent_bytes=1)
    now = sample(2.0, cpu_ns=0, received_bytes=0, sent_bytes=0)
    assert fold(before, now, None).cpu_percent == 0.0


def test_the_same_sample_twice_changes_nothing() -> None:
    known = Rates(cpu_percent=3.0)
    assert fold(sample(1.0, cpu_ns=1), sample(1.0, cpu_ns=1), known) == known


def test_the_history_is_short() -> None:
    rates = Rates()
    for second in range(40):
        rates = fold(sample(second, cpu_ns=second), sample(second + 1, cpu_ns=second + 1), rates)
    assert len(rates.trend) == HISTORY


def test_bars_grow_with_the_load_and_idling_looks_idle() -> None:
    assert spark((0.1, 0.2)) == "▁▁"
    assert spark((0.0, 50.0, 100.0)) == "▁▅█"


def test_a_total_knows_what_any_of_them_knows() -> None:
    assert total([Rates(), Rates(cpu_percent=2.0), Rates(cpu_percent=3.0)]).cpu_percent == 5.0
    assert total([Rates()]) == Rates()
