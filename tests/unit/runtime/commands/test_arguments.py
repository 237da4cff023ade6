"""The command line's grammar, signals, users."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.commands.arguments import Flag, UsageError, parse, switch
from runtime.commands.exec_ import parse_user
from runtime.commands.kill import parse_signal
from runtime.commands.verbs import HELP, find_verb
from runtime.spec.model import User

FLAGS = (Flag("bundle", "b"), Flag("env", "e"), switch("force", "f"))


@pytest.mark.parametrize(
    "words",
    [
        ["--bundle", "x", "id"],
        ["--bundle=x", "id"],
        ["-b", "x", "id"],
        ["-bundle", "x", "id"],
        ["id", "--bundle", "x"],
        ["-b=x", "--", "id"],
    ],
)
def test_all_spellings_of_a_flag(words: list[str]) -> None:
    arguments = parse(words, FLAGS)
    assert (arguments.text("bundle"), arguments.operands) == ("x", ["id"])


def test_switches_and_repeated_flags() -> None:
    arguments = parse(["-f", "-e", "A=1", "--env=B=2", "id"], FLAGS)
    assert arguments.on("force")
    assert arguments.texts("env") == ["A=1", "B=2"]
    assert not parse(["--force=false"], FLAGS).on("force")


def test_the_users_own_command_is_left_alone() -> None:
    arguments = parse(["-e", "A=1", "id", "ls", "-b", "--", "x"], FLAGS, interspersed=False)
    assert arguments.operands == ["id", "ls", "-b", "--", "x"]


@pytest.mark.parametrize("words", [["--nosuch"], ["-x"], ["--bundle"]])
def test_wrong_words(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse(words, FLAGS)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9", 9), ("KILL", 9), ("SIGKILL", 9), ("sigterm", 15), ("0", 0),
        ("RTMIN+3", signal.SIGRTMIN + 3), ("SIGRTMAX", signal.SIGRTMAX),
    ],
)  # fmt: skip
def test_signals(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "SIG", "NOSUCH", "-9", "+9", " 9", "999", "RTMIN+99", "९"])
def test_what_is_no_signal(text: str) -> None:
    with pytest.raises(UsageError):
        parse_signal(text)


def test_users_are_numbers() -> None:
    base = User(uid=5, gid=6, additional_gids=(7,))
    assert parse_user("1", base) == User(uid=1, gid=6, additional_gids=(7,))
    assert parse_user("1:2", base) == User(uid=1, gid=2, additional_gids=(7,))
    assert parse_user("2147483648", base).uid == 2**31


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "1:",
        "+1",
        " 1",
        "0x1",
        "-1",
        "4294967295",
        "4294967296",
        "root",
        "1:2:3",
        "1_0",
        "१",
    ],
)
def test_what_is_no_user_is_never_root(text: str) -> None:
    """CVE-2026-30892, CVE-2024-40635: a text that is not a number became 0, or wrapped to it."""
    with pytest.raises(UsageError):
        parse_user(text, User(uid=5, gid=6))


@given(st.text(max_size=30))
def test_any_text_is_a_user_in_range_or_refused(text: str) -> None:
    try:
        user = parse_user(text, User(uid=5, gid=6))
    except UsageError:
        return
    uid, _, gid = text.partition(":")
    assert user.uid == int(uid)
    assert user.gid == (int(gid) if gid else 6)


def test_every_verb_is_found_and_described() -> None:
    for name in HELP:
        function, flags = find_verb(name)
        assert callable(function)
        assert len({flag.name for flag in flags}) == len(flags)
