"""Restart policies: Docker's and Swarm's rules, one line each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.plan.observed import Exit
from stacker.plan.restart import (
    LONGEST_DELAY_S,
    Again,
    End,
    Stay,
    after_exit,
    backoff_s,
    describe_exit,
    failures_after,
    settled_after_s,
)
from stacker.stack.model.life import RestartPolicy

OK = Exit(code=0, at=100.0)
BAD = Exit(code=1, at=100.0)
UNKNOWN = Exit(code=None, at=100.0)


@pytest.mark.parametrize(
    ("condition", "exit", "expected"),
    [
        ("no", OK, Stay(end=End.COMPLETED, cause="exited with 0")),
        ("no", BAD, Stay(end=End.FAILED, cause="exited with 1")),
        ("no", UNKNOWN, Stay(end=End.FAILED, cause="ended with an unknown status")),
        ("on-failure", OK, Stay(end=End.COMPLETED, cause="exited with 0")),
        ("on-failure", BAD, Again(at=100.1, cause="exited with 1, attempt 1", note="attempt 1")),
        (
            "on-failure",
            UNKNOWN,
            Again(at=100.1, cause="ended with an unknown status, attempt 1", note="attempt 1"),
        ),
        ("always", OK, Again(at=100.1, cause="exited with 0, attempt 1", note="attempt 1")),
        ("unless-stopped", OK, Again(at=100.1, cause="exited with 0, attempt 1", note="attempt 1")),
    ],
)
def test_policy(condition: str, exit: Exit, expected: Again | Stay) -> None:
    policy = RestartPolicy.model_validate({"condition": condition})
    assert after_exit(policy, exit, failures=0, restarts=0) == expected


def test_attempts_are_counted_and_used_up() -> None:
    policy = RestartPolicy(condition="on-failure", max_attempts=2)
    assert after_exit(policy, BAD, failures=1, restarts=1) == Again(
        at=100.2, cause="exited with 1, attempt 2 of 2", note="attempt 2 of 2"
    )
    assert after_exit(policy, BAD, failures=2, restarts=2) == Stay(
        end=End.GAVE_UP,
        cause="exited with 1, all 2 attempts used up",
        note="all 2 attempts used up",
    )


@given(failures=st.integers(0, 10_000), first=st.none() | st.floats(0, 600))
def test_the_pause_grows_and_is_capped(failures: int, first: float | None) -> None:
    pause = backoff_s(failures, first=first)
    assert pause <= backoff_s(failures + 1, first=first) <= max(LONGEST_DELAY_S, first or 0)


def test_running_long_enough_begins_the_back_off_anew() -> None:
    settled_s = settled_after_s(RestartPolicy())
    assert failures_after(7, ran_s=settled_s, settled_s=settled_s) == 0
    assert failures_after(7, ran_s=settled_s - 0.1, settled_s=settled_s) == 8
    assert settled_after_s(RestartPolicy(window=120.0)) == 120.0


def test_the_end_is_told_in_words() -> None:
    assert describe_exit(Exit(code=137, signal=9, at=0)) == "killed by signal 9"
    assert describe_exit(Exit(code=137, signal=9, oom=True, at=0)) == "killed: out of memory"
