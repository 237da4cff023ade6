"""The grammar of environment files."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Invalid
from stacker.stack.load.dotenv import parse_dotenv, parse_raw

OUTSIDE = {"OUTSIDE": "from outside"}


def parse(text: str) -> dict[str, str]:
    return parse_dotenv(text, name=".env", lookup=OUTSIDE.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("\n \t\n# x\n", {}),
        ("A=1", {"A": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("  A  =  1 2  ", {"A": "1 2"}),
        ("export A=1", {"A": "1"}),
        ("export=1", {"export": "1"}),
        ("A: 1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=\nB=1", {"A": "", "B": "1"}),
        ("A= # all of it", {"A": ""}),
        ("A=#all of it", {"A": ""}),
        ("A=a#b #c", {"A": "a#b"}),
        ("A=a=b", {"A": "a=b"}),
        ("A='a # b'", {"A": "a # b"}),
        ("A='$OUTSIDE \\n'", {"A": "$OUTSIDE \\n"}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="a # b" # c', {"A": "a # b"}),
        ('A="\\n\\t\\"\\\\\\$X\\z"', {"A": '\n\t"\\$X\\z'}),
        ('A="1\n2"\nB=3', {"A": "1\n2", "B": "3"}),
        ("A='1\n2'", {"A": "1\n2"}),
        ("A=$OUTSIDE", {"A": "from outside"}),
        ('A=1\nB="${A}2"\nC=$B', {"A": "1", "B": "12", "C": "12"}),
        ("OUTSIDE=inside\nA=$OUTSIDE", {"OUTSIDE": "inside", "A": "from outside"}),
        ("A=${B:-c}", {"A": "c"}),
        ("A=$$", {"A": "$"}),
        ("OUTSIDE", {"OUTSIDE": "from outside"}),
        ("NOWHERE", {}),
        ("A=1\nA=2", {"A": "2"}),
        ("a.b-c=1", {"a.b-c": "1"}),
    ],
)
def test_grammar(text: str, expected: dict[str, str]) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("=1", ".env:1", "expected NAME=VALUE"),
        ("A=1\n\nB C=1", ".env:3", '"B" is not followed by ='),
        ("A='1\n2", ".env:1", "does not end with it"),
        ('A="1', ".env:1", "does not end with it"),
        ("A='1' 2", ".env:1", "something follows the closing quote"),
        ("A='1\n2'\n1A=3", ".env:3", "expected NAME=VALUE"),
        ("A=$", ".env:1", "A: a"),
        ("A=${B:?no}", ".env:1", "A: required variable B is missing a value: no"),
    ],
)
def test_refusals(text: str, where: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert caught.value.where == where
    assert message in caught.value.message


def test_raw() -> None:
    text = "# comment\n\nA='$B' # stays\nB=a=b\nC=\n"
    assert parse_raw(text, name="x") == {"A": "'$B' # stays", "B": "a=b", "C": ""}
    with pytest.raises(Invalid, match="expected NAME=VALUE"):
        parse_raw("A", name="x")


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_]{1,8}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_characters="\0\r")),
    )
)
def test_quoted_values_come_back(values: dict[str, str]) -> None:
    escapes = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n"}
    lines = [
        f'{key}="{"".join(escapes.get(c, c) for c in value)}"' for key, value in values.items()
    ]
    assert parse("\n".join(lines)) == values


@given(st.text(alphabet="AB=:'\"\\$#{} \n\texport"))
def test_nothing_but_the_one_error(text: str) -> None:
    with contextlib.suppress(Invalid):
        parse(text)
