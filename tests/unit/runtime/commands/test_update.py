"""update: flags to a document of resources, and what is merged into what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.commands import update
from runtime.commands.arguments import UsageError, parse
from runtime.commands.events import parse_duration

MEBIBYTE = 1 << 20


def asked(*words: str) -> dict[str, object]:
    return update.asked_resources(parse([*words, "id"], update.FLAGS))


def test_each_flag_has_its_field() -> None:
    assert asked("--memory", "32M", "--memory-swap", "-1", "--cpu-quota=-1") == {
        "memory": {"limit": 32 * MEBIBYTE, "swap": -1},
        "cpu": {"quota": -1},
    }
    assert asked("--pids-limit", "-1", "--cpuset-cpus", "0-1", "--blkio-weight", "10") == {
        "pids": {"limit": -1},
        "cpu": {"cpus": "0-1"},
        "blockIO": {"weight": 10},
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("5", 5), ("1k", 1024), ("1K", 1024), ("2kb", 2048), ("3MiB", 3 * MEBIBYTE),
        ("1g", 1 << 30), ("1t", 1 << 40), ("-1", -1), ("7b", 7),
    ],
)  # fmt: skip
def test_bytes(text: str, number: int) -> None:
    assert update.parse_bytes("--memory", text) == number


@pytest.mark.parametrize("text", ["", "k", "-2", "1.5m", "1kk", "1x", "0x10", " 1", "9e99", "९m"])
def test_what_is_no_number_of_bytes(text: str) -> None:
    with pytest.raises(UsageError):
        update.parse_bytes("--memory", text)


def test_nothing_to_do_is_an_error() -> None:
    with pytest.raises(UsageError):
        asked()


SECTIONS = st.dictionaries(
    st.sampled_from(["memory", "cpu", "pids", "unified"]),
    st.dictionaries(st.sampled_from("abc"), st.integers()),
)


@given(SECTIONS, SECTIONS)
def test_what_is_asked_holds_and_the_rest_stays(
    before: dict[str, dict[str, int]], new: dict[str, dict[str, int]]
) -> None:
    merged = update.merge(before, new)
    assert set(merged) == {*before, *new}
    for section, fields in merged.items():
        assert fields == before.get(section, {}) | new.get(section, {})
    assert update.merge(merged, new) == merged


def test_lists_are_replaced() -> None:
    before = {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}], "memory": None}
    merged = update.merge(before, {"hugepageLimits": [], "memory": {"limit": 1}})
    assert merged == {"hugepageLimits": [], "memory": {"limit": 1}}


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("300ms", 0.3), ("1m30s", 90), ("1.5h", 5400), ("10us", 1e-5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration("--interval", text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "0s", "5 s", "1.2.3s", ".s", "9999999h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration("--interval", text)
