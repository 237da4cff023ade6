"""The quick parser agrees with ``json`` on everything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.client.quick_json import loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 2]))
def test_what_json_writes_is_read(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, allow_nan=False)
    assert loads(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text", [b"", b"  ", b"{", b'{"a": }', b"1 2", b"[1,]", b"nul", b"NaN", b"'a'", b'"\x01"']
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 JSONDecodeError and our own
        loads(text)


def test_depth_is_bounded() -> None:
    with pytest.raises(RecursionError):
        loads(b"[" * 100_000)
