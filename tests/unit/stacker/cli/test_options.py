"""Command lines: options before and after the verb, files and services, plain ones."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys

import pytest

from stacker.cli import main, ps
from stacker.cli.options import Call, Plain, UsageError, read_plain, split_leading
from stacker.cli.parsers import make_parser
from stacker.cli.selection import take_file
from stacker.oci import changes


def call(*words: str) -> Call:
    leading, rest = split_leading(list(words))
    module = __import__(f"stacker.cli.{rest[0]}", fromlist=["run"])
    return Call(leading, make_parser(rest[0], "text", module).parse_args(rest[1:]))


def test_options_may_stand_on_both_sides_of_the_verb() -> None:
    found = call("-f", "a.yaml", "--project-directory=/srv", "down", "-f", "b.yaml", "-p", "shop")
    assert found.files == ["a.yaml", "b.yaml"]
    assert found.absolute_files() == ("/srv/a.yaml", "/srv/b.yaml")
    assert found.project == "shop"


def test_f_is_follow_where_compose_has_it_so() -> None:
    found = call("logs", "-f", "--tail", "5", "web")
    assert found.arguments.follow
    assert found.arguments.tail == 5
    assert found.arguments.words == ["web"]


def test_roots_come_from_the_options_then_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("STACKER_RUN", "/env/run")
    assert call("ps").place.socket == "/env/run/api/stacker.sock"
    assert call("--run", "/opt/run", "ps").place.socket == "/opt/run/api/stacker.sock"
    assert call("ps", "--run", "/opt/run").place.socket == "/opt/run/api/stacker.sock"


@pytest.mark.parametrize(
    ("words", "files", "services"),
    [
        (["stack.yaml", "web"], ["stack.yaml"], ["web"]),
        (["./any"], ["./any"], []),
        (["web", "db"], [], ["web", "db"]),
        ([], [], []),
    ],
)
def test_a_first_word_that_looks_like_a_file_is_one(words, files, services) -> None:
    found = call("up", *words)
    assert take_file(found, found.arguments.words) == services
    assert found.files == files


@pytest.mark.parametrize(
    "words", [["--nope"], ["-f"], ["ps", "--nope"], ["frobnicate"], ["logs", "--tail", "-1"]]
)
def test_usage_errors_are_64_and_one_message(words, capsys) -> None:
    assert main.main(words) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("stacker: ")


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["help", "up"], ["up", "--help"]])
def test_help_goes_to_stdout(words, capsys) -> None:
    with contextlib.suppress(SystemExit):  # argparse ends the process itself
        assert main.main(words) == 0
    assert "usage: stacker" in capsys.readouterr().out


@pytest.mark.parametrize("verb", [verb for verb in main.VERBS if verb != "daemon"])
def test_every_verb_explains_itself(verb: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main([verb, "--help"])
    assert ended.value.code == 0
    assert f"usage: stacker {verb}" in capsys.readouterr().out


def test_usage_says_what_may_be_missing_once(capsys) -> None:
    with pytest.raises(SystemExit):
        main.main(["up", "--help"])
    assert " [FILE] [SERVICE…]\n" in capsys.readouterr().out


def test_the_supervisor_explains_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stacker", "daemon", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    options = set(re.findall(r"^  (--[a-z-]+)[^\n]*\n? {3,}\S", done.stdout, re.MULTILINE))
    assert options >= {"--root", "--run", "--group", "--runtime", "--insecure-registry"}


def test_import_names_every_instruction_that_it_takes(capsys) -> None:
    with pytest.raises(SystemExit):
        main.main(["import", "--help"])
    shown = capsys.readouterr().out
    assert [name for name in changes.INSTRUCTIONS if name not in shown] == []


@pytest.mark.parametrize("words", [[], ["-a"], ["--all", "-q"]])
def test_plain_command_lines_mean_what_the_parser_says(words: list[str]) -> None:
    plain = read_plain(*ps.PLAIN, words)
    assert isinstance(plain, Plain)
    parsed = vars(make_parser("ps", "text", ps).parse_args(words))
    for name, value in vars(plain).items():
        assert list(parsed[name]) == list(value) if name == "words" else parsed[name] == value


def test_what_is_not_plain_takes_the_parser() -> None:
    assert read_plain(*ps.PLAIN, ["-a", "--format", "json"]) is None
    with pytest.raises(UsageError):
        split_leading(["--profile"])
