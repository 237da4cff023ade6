"""SELinux categories: a pair for each container, the same for the same container, never shared."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Failed
from stacker.plan import categories
from stacker.plan.categories import choose_level

PAIR = re.compile(r"s0:c(\d+),c(\d+)")


@given(st.text(), st.sets(st.text(max_size=3)))
def test_a_level_is_a_pair_of_two_categories(container_id: str, taken: set[str]) -> None:
    found = PAIR.fullmatch(choose_level(container_id, taken))
    assert found is not None
    low, high = map(int, found.groups())
    assert 0 <= low < high < categories.CATEGORIES
    assert choose_level(container_id, taken) == found.group()


def test_no_two_containers_have_the_same() -> None:
    taken: set[str] = set()
    for _ in range(300):
        # the worst case: every container begins its search at the same pair
        level = choose_level("same", taken)
        assert level not in taken
        taken.add(level)


def test_every_pair_is_reached_once_and_then_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(categories, "PAIRS", 10)
    taken: set[str] = set()
    for _ in range(10):
        taken.add(choose_level("x", taken))
    assert taken == {f"s0:c{low},c{high}" for high in range(5) for low in range(high)}
    with pytest.raises(Failed, match="every pair"):
        choose_level("x", taken)
