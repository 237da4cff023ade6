from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.oci import challenge
from stacker.oci.challenge import Challenge
from tests.support.quick import quick

EXAMPLES: dict[str, list[tuple[str, dict[str, str]]]] = {
    'Basic realm="x"': [("basic", {"realm": "x"})],
    "Basic": [("basic", {})],
    'Bearer realm="https://auth/token",service="reg",scope="repository:a/b:pull,push"': [
        (
            "bearer",
            {
                "realm": "https://auth/token",
                "service": "reg",
                "scope": "repository:a/b:pull,push",
            },
        )
    ],
    'Basic realm="a", Bearer realm="b"': [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})],
    "Negotiate, Basic realm=x": [("negotiate", {}), ("basic", {"realm": "x"})],
    'NTLM abc/d+==, Bearer realm="b"': [("ntlm", {}), ("bearer", {"realm": "b"})],
    'Bearer  realm = "a" , service=b': [("bearer", {"realm": "a", "service": "b"})],
    r'Bearer realm="a\"b\\c"': [("bearer", {"realm": r'a"b\c'})],
    'BEARER Realm="a"': [("bearer", {"realm": "a"})],
    'Bearer realm="a",realm="b"': [("bearer", {"realm": "a"})],
    'Bearer realm=",Basic x=y"': [("bearer", {"realm": ",Basic x=y"})],
    'Bearer realm="open': [("bearer", {})],
    "": [],
    "\x00": [],
    "x" * 9000: [],
}


@pytest.mark.parametrize("header", EXAMPLES)
def test_examples(header: str) -> None:
    found = [(one.scheme, dict(one.parameters)) for one in challenge.parse(header)]
    assert found == EXAMPLES[header]


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
ONE = st.tuples(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))


@given(st.lists(ONE, min_size=1, max_size=3))
def test_what_is_written_is_read(challenges: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    header = ", ".join(
        f"{scheme} " + ",".join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert challenge.parse(header) == tuple(
        Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in challenges
    )


@given(st.text(max_size=200))
def test_any_text_is_survived(header: str) -> None:
    for one in challenge.parse(header):
        assert one.scheme


@pytest.mark.parametrize("part", ['a="\\', "a,", " ", "a=", '"', "a b=", ",,,"])
def test_no_long_thinking(part: str) -> None:
    quick(lambda: challenge.parse("Bearer " + part * (8000 // len(part))), limit_s=0.5)
