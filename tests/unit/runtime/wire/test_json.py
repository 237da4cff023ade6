"""The same text and the same values as the package `json`, but for what is no JSON."""

from __future__ import annotations

import json as package
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire import json

LEAVES = st.none() | st.booleans() | st.integers() | st.text() | st.floats(
    allow_nan=False, allow_infinity=False
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(VALUES)
def test_dumps_as_the_package(value: Any) -> None:
    assert json.dumps(value) == package.dumps(value)
    assert json.dumps(value, ensure_ascii=False) == package.dumps(value, ensure_ascii=False)
    assert json.dumps(value, indent=2) == package.dumps(value, indent=2)
    ours = json.dumps(value, sort_keys=True, separators=(",", ":"))
    assert ours == package.dumps(value, sort_keys=True, separators=(",", ":"))


@given(VALUES, st.text(" \t\r\n"), st.text(" \t\r\n"))
def test_loads_as_the_package(value: Any, before: str, after: str) -> None:
    text = before + package.dumps(value, ensure_ascii=False, indent=1) + after
    assert json.loads(text) == value
    if not any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        assert json.loads(text.encode()) == value


@given(st.text(alphabet='{}[]",:0e-.truefalsn\\\n x'))
def test_refuses_what_the_package_refuses(text: str) -> None:
    try:
        expected = package.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            json.loads(text)
    else:
        assert json.loads(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expecting value: line 1 column 1"),
        ("\n\n [1, }", "expecting value: line 3 column 6"),
        ('{"a": 1} x', "extra data: line 1 column 10"),
        ("[NaN]", "NaN is not JSON"),
        ("-Infinity", "-Infinity is not JSON"),
        (b"\xff", "invalid start byte"),
        ('{"a": "\n"}', "control character"),
    ],
)
def test_errors_say_where(text: str | bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        json.loads(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_writes_no_number_that_json_does_not_have(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json.dumps(value)


def test_writes_no_object_of_ours() -> None:
    with pytest.raises(TypeError, match="object has no form"):
        json.dumps({"a": object()})
