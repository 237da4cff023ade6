"""When a registry is asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Invalid
from stacker.oci.pull_policy import parse

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "every_s"),
    [
        ("daily", DAY),
        ("weekly", 7 * DAY),
        ("every_12h", DAY / 2),
        ("every_1w2d3h4m5s", 9 * DAY + 3 * 3600 + 245),
        ("missing", None),
        ("if_not_present", None),
    ],
)
def test_policies_that_pull_what_is_missing(text: str, every_s: float | None) -> None:
    policy = parse(text)
    assert (policy.when, policy.every_s) == ("missing", every_s)


@pytest.mark.parametrize(
    "text", ["", "every_", "every_5", "every_5y", "every_-1h", "dayly", "Daily"]
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(Invalid, match="is none of always, missing, never, daily"):
        parse(text)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_policy_is_due_when_its_time_is_over(asked_at: float, now: float) -> None:
    due = parse("daily").due(asked_at, now=now)
    assert (due is None) == (0 <= now - asked_at < DAY)
    assert parse("missing").due(asked_at, now=now) is None
    assert parse("always").due(asked_at, now=now) == "asked for"


def test_what_was_never_asked_for_is_due() -> None:
    assert parse("weekly").due(None, now=0) == "its registry was never asked"
    assert parse("daily").due(0.0, now=3 * DAY) == "its registry was asked 3 days ago"
