"""Ranges of ids: inside what the host gives, the same for the same container, never shared."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Failed
from stacker.base.id_range import IdRange
from stacker.plan.id_ranges import choose_range

ROOMS = (IdRange(1000, 10_000), IdRange(50_000, 5000))
RANGES = st.builds(IdRange, st.integers(0, 60_000), st.integers(1, 4000))


@given(st.text(), st.integers(1, 5000), st.sets(RANGES, max_size=6))
def test_a_range_is_given_and_free(container_id: str, size: int, taken: set[IdRange]) -> None:
    try:
        found = choose_range(container_id, size, within=ROOMS, taken=taken)
    except Failed:
        assert taken, "an empty host has room"
        return
    assert found.size == size
    assert any(room.first <= found.first and found.end <= room.end for room in ROOMS)
    assert not any(set(range(found.first, found.end)) & set(range(o.first, o.end)) for o in taken)
    assert choose_range(container_id, size, within=ROOMS, taken=taken) == found


def test_every_place_is_reached_and_then_there_is_none() -> None:
    taken: set[IdRange] = set()
    for _ in range(10 + 5):
        taken.add(choose_range("same", 1000, within=ROOMS, taken=taken))
    assert len(taken) == 15
    assert not any(one.overlaps(other) for one, other in combinations(taken, 2))
    with pytest.raises(Failed, match="no 1000 user and group ids are free"):
        choose_range("same", 1000, within=ROOMS, taken=taken)


def test_a_host_with_too_few() -> None:
    with pytest.raises(Failed):
        choose_range("x", 65536, within=ROOMS, taken=())
