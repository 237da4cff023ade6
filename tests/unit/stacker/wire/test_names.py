"""Names and paths from outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import BY_KIND, Failed, Invalid
from stacker.wire.names import check_name, check_path
from stacker.wire.problems import STATUS_OF_KIND, error_of, problem_of
from stacker.wire.replies import Problem

BAD = ["", ".", "..", "../x", "a/b", "a\0b", "a\nb", "-x", "%2e%2e", "é", "a b", "x" * 256, "/a"]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(Invalid, match="is not the name of a stack"):
        check_name("stack", name)


@given(st.text(max_size=300))
def test_a_name_can_never_leave_its_directory(name: str) -> None:
    try:
        check_name("stack", name)
    except Invalid:
        return
    assert "/" not in name
    assert name not in (".", "..")
    assert name.isascii()
    assert name.isprintable()


@pytest.mark.parametrize("path", ["", "a", "a\0", "/a\0b", "/" + "a" * 5000])
def test_what_is_no_absolute_path(path: str) -> None:
    with pytest.raises(Invalid, match="absolute path"):
        check_path("archive", path)


@pytest.mark.parametrize("cls", BY_KIND.values())
def test_errors_come_back_as_what_they_were(cls: type) -> None:
    error = cls("pull web: no", where="stack.yaml:3")
    back = error_of(problem_of(error))
    assert type(back) is cls
    assert str(back) == "stack.yaml:3: pull web: no"
    assert error.kind in STATUS_OF_KIND


def test_a_kind_from_the_future_is_a_failure() -> None:
    assert isinstance(error_of(Problem(kind="new", message="x")), Failed)
