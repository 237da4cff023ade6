"""Every message travels; nothing else does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire import messages as wire

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
NUMBER = st.integers(-(2**62), 2**62)
STDIO = st.builds(wire.Stdio, TEXT, TEXT, TEXT, NUMBER, NUMBER, st.booleans())
KINDS = {
    "str": TEXT,
    "int": NUMBER,
    "bool": st.booleans(),
    "list[str]": st.lists(TEXT, max_size=5),
    "dict[str, str]": st.dictionaries(TEXT, TEXT, max_size=5),
    "Stdio": STDIO,
}
ALL = st.one_of(
    [
        st.builds(
            message, *(KINDS[message.__annotations__[f].__forward_arg__] for f in message._fields)
        )
        for message in (*wire.REQUESTS, *wire.ANSWERS)
    ]
)


@given(NUMBER, ALL)
def test_what_is_sent_arrives(number: int, message: wire.Message) -> None:
    assert wire.decode(wire.encode(number, message)) == (number, message)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(packet: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(packet)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"kind": "list"},
        {"id": True, "kind": "list"},
        {"id": 1, "kind": "stdio"},
        {"id": 1, "kind": ["list"]},
        {"id": 1, "kind": "forget"},
        {"id": 1, "kind": "forget", "key": 3},
        {"id": 1, "kind": "forget", "key": "a\0b"},
        {"id": 1, "kind": "forget", "key": "a", "more": 1},
        {"id": 1, "kind": "call", "argv": ["a", 1], "environment": {}},
        {"id": 1, "kind": "call", "argv": ["a"], "environment": {"A": 1}},
        {"id": 1, "kind": "adopt", "key": "k", "pid": 1, "start_time": 2, "stdio": {"kind": "log"}},
    ],
)
def test_wrong_shapes_are_refused(body: object) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(json.dumps(body).encode())


def test_what_is_too_large_is_not_sent() -> None:
    with pytest.raises(wire.WireError, match="too many"):
        wire.encode(1, wire.Forget("x" * wire.LARGEST))
