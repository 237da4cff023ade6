"""The strict codec: what is encoded decodes to the same, and everything else is refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Invalid
from stacker.wire.message import decode, encode, fields_of, required_of
from stacker.wire.replies import Containers, EventLine, OperationLine, Problem
from stacker.wire.requests import DeclarationBody, ExecBody, UpRequest

EVENT = {
    "seq": 7,
    "time": 1.5,
    "kind": "step.done",
    "stack": "shop",
    "service": "web",
    "container": "shop-web-1",
    "message": "start container shop-web-1",
    "attributes": {"step": 1, "seconds": 0.1, "error": None, "ok": True, "text": "x"},
}


def test_fields_and_defaults_come_from_the_annotations() -> None:
    assert fields_of(Problem) == {
        "kind": "str",
        "message": "str",
        "where": "str | None",
        "exit_code": "int | None",
    }
    assert required_of(Problem) == ["kind", "message"]


def test_a_message_is_frozen_and_compares_by_value() -> None:
    one = Problem(kind="invalid", message="no")
    assert one == Problem(kind="invalid", message="no", where=None)
    assert one != Problem(kind="invalid", message="yes")
    with pytest.raises(AttributeError):
        one.kind = "denied"  # type: ignore[misc]


def test_nested_messages_survive_the_way_over_the_socket() -> None:
    line = OperationLine(event=decode(EventLine, EVENT))
    assert decode(OperationLine, json.loads(json.dumps(encode(line)))) == line


@given(
    files=st.lists(st.text(max_size=20), max_size=4),
    environment=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=4),
    project=st.none() | st.text(max_size=10),
    watch=st.booleans(),
)
def test_decode_undoes_encode(
    files: list[str], environment: dict[str, str], project: str | None, watch: bool
) -> None:
    body = DeclarationBody(
        files=tuple(files), working_dir="/", environment=environment, project=project, watch=watch
    )
    request = UpRequest(declaration=body, services=("web",))
    assert decode(UpRequest, json.loads(json.dumps(encode(request)))) == request


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ({"nope": 1}, "EventLine", "unknown field 'nope'"),
        ({"seq": "7"}, "EventLine.seq", "expected an integer, got a string"),
        ({"seq": True}, "EventLine.seq", "expected an integer, got a boolean"),
        ({"seq": 1 << 70}, "EventLine.seq", "the number is too large"),
        ({"time": float("nan")}, "EventLine.time", "the number is too large"),
        ({"kind": None}, "EventLine.kind", "expected a string, got null"),
        ({"attributes": []}, "EventLine.attributes", "expected an object, got an array"),
        ({"attributes": {"a": []}}, "EventLine.attributes.a", "expected a plain value"),
        ({"message": "x" * (1 << 20) + "x"}, "EventLine.message", "longer than 1048576"),
    ],
)
def test_refusals_name_the_field(change: dict[str, object], where: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode(EventLine, {**EVENT, **change})
    assert caught.value.where == where
    assert message in caught.value.message


def test_a_missing_field_is_named() -> None:
    with pytest.raises(Invalid, match="field 'args' is missing"):
        decode(ExecBody, {"service": "web"})


def test_arrays_are_bounded_and_their_items_are_named() -> None:
    with pytest.raises(Invalid, match="more than 100000 entries"):
        decode(ExecBody, {"service": "web", "args": ["x"] * 100_001})
    with pytest.raises(Invalid, match=r"ExecBody.args\[1\]"):
        decode(ExecBody, {"service": "web", "args": ["x", 1]})


def test_answers_of_a_newer_supervisor_may_say_more() -> None:
    assert decode(Containers, {"now": 1.0, "new": 1}, lenient=True) == Containers(now=1.0)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_anything_else_is_refused_and_never_crashes(value: object) -> None:
    with pytest.raises(Invalid):
        decode(UpRequest, value)
