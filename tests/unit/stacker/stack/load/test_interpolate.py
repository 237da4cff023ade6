"""Variables in values: the laws, and what must not happen."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.stack.load.interpolate import MAX_LENGTH, BadTemplate, substitute

VARIABLES = {"A": "1", "B_2": "two", "EMPTY": "", "RECURSIVE": "$A ${A} $$"}


def put_in(text: str) -> str:
    return substitute(text, VARIABLES.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "1"),
        ("${A}", "1"),
        ("$A$B_2", "1two"),
        ("$A-", "1-"),
        ("$A.${B_2}", "1.two"),
        ("${C}", ""),
        ("${C-d}", "d"),
        ("${C:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${EMPTY:-d}", "d"),
        ("${A+a}", "a"),
        ("${C+a}", ""),
        ("${EMPTY+a}", "a"),
        ("${EMPTY:+a}", ""),
        ("${A:?e}", "1"),
        ("${EMPTY?e}", ""),
        ("${C:-${B_2:+${A}}}", "1"),
        ("${C:-a:b-c?d+e}", "a:b-c?d+e"),
        ("${C:-}", ""),
        ("$$A", "$A"),
        ("$$$A", "$1"),
        ("$${A}", "${A}"),
        ("${C:-$$A}", "$A"),
        ("}{", "}{"),
        ("${RECURSIVE}", "$A ${A} $$"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    assert put_in(text) == expected


@pytest.mark.parametrize(
    "text", ["$", "a$", "$ a", "$1", "${", "${}", "${1}", "${A", "${A:}", "${A b}"]
)
def test_what_is_no_variable_is_refused(text: str) -> None:
    with pytest.raises(BadTemplate):
        put_in(text)


@pytest.mark.parametrize("text", ["${C?why}", "${C:?why}", "${EMPTY:?why}", "${C:-${C:?why}}"])
def test_required(text: str) -> None:
    with pytest.raises(BadTemplate, match="is missing a value: why"):
        put_in(text)


def test_a_default_that_is_not_needed_is_not_looked_up() -> None:
    assert put_in("${A:-${C:?never}}") == "1"
    assert put_in("${C:+${C:?never}}") == ""


def test_only_plain_forms_are_told_as_unset() -> None:
    told: list[str] = []
    substitute("$C ${D} ${E:-x} ${F-} ${G:+x} $A ${A:-$H}", VARIABLES.get, told.append)
    assert told == ["C", "D"]


def test_the_result_is_bounded() -> None:
    many = {"BIG": "x" * 100_000}
    with pytest.raises(BadTemplate, match="longer than"):
        substitute("$BIG" * (MAX_LENGTH // 100_000 + 1), many.get)


@given(st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert substitute("a${V}b", {"V": value}.get) == f"a{value}b"


@given(st.text())
def test_doubled_dollars_come_back_single(text: str) -> None:
    assert put_in(text.replace("$", "$$")) == text


@given(st.text(alphabet="$A{}:-?+ "))
def test_nothing_but_the_one_error(text: str) -> None:
    with contextlib.suppress(BadTemplate):
        put_in(text)
