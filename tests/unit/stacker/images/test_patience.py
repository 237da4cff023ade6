from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Unavailable
from stacker.drivers.images.registry.patience import Floor, Patience

PATIENCE = Patience(tries=5, backoff_s=1, backoff_cap_s=6, retry_after_cap_s=60)


@given(st.integers(1, 4), st.floats(0, 1, exclude_max=True))
def test_delays_grow_and_are_capped(attempt: int, jitter: float) -> None:
    delay = PATIENCE.delay_s(attempt, retry_after_s=None, jitter=jitter)
    full = min(6, 2 ** (attempt - 1))
    assert delay is not None
    assert full / 2 <= delay <= full


def test_the_last_try_is_the_last() -> None:
    assert PATIENCE.delay_s(5, retry_after_s=None, jitter=0) is None
    assert PATIENCE.delay_s(5, retry_after_s=1, jitter=0) is None


def test_the_registry_says_when() -> None:
    assert PATIENCE.delay_s(1, retry_after_s=0, jitter=0.5) == 0
    assert PATIENCE.delay_s(1, retry_after_s=60, jitter=0.5) == 60
    assert PATIENCE.delay_s(1, retry_after_s=61, jitter=0.5) is None


def test_floor_counts_only_the_wait_for_the_server() -> None:
    floor = Floor(Patience(floor_window_s=10, floor_bytes_per_s=100))
    for _ in range(1000):
        floor.add(1, waited_s=0)  # we were slow, not the server
    floor.add(1000, waited_s=10)
    floor.add(99, waited_s=9)
    with pytest.raises(Unavailable, match="only 10 bytes a second"):
        floor.add(1, waited_s=1)
