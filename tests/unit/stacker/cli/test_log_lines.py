"""Log records on stdout: prefixes, times, JSON, and what happens when a stream was cut."""

from __future__ import annotations

import json

import pytest

from runtime.wire import frames
from stacker.cli.log_lines import LogPrinter, Style, _cleaner
from stacker.wire.log_stream import LogRecord

SECOND = 10**9
T0 = 1_700_000_000 * SECOND


def record(container: str = "shop-web-1") -> LogRecord:
    return LogRecord(container=container, service="web", length=0)


def chunk(*parts: tuple[int, bytes], stream: int = frames.STDOUT) -> bytes:
    return b"".join(frames.build(T0 + second * SECOND, stream, text) for second, text in parts)


def test_lines_are_prefixed_with_the_name_without_the_stack(capfdbinary) -> None:
    printer = LogPrinter(Style(), stack="shop")
    printer.print(record(), chunk((0, b"one\ntwo\nthr"), (1, b"ee\n")))
    printer.print(record("shop-ticker-1"), chunk((2, b"tick")))
    printer.finish()
    assert capfdbinary.readouterr().out == (
        b"web-1 | one\nweb-1 | two\nweb-1 | three\nticker-1 | tick\n"
    )


def test_times_are_those_of_the_frames(capfdbinary) -> None:
    printer = LogPrinter(Style(prefix=False, timestamps=True), stack="shop")
    printer.print(record(), chunk((0, b"one\n"), (1, b"two\n")))
    printer.finish()
    assert capfdbinary.readouterr().out == (
        b"2023-11-14T22:13:20.000000000Z one\n2023-11-14T22:13:21.000000000Z two\n"
    )


def test_bytes_that_go_to_a_file_are_left_as_they_are(capfdbinary) -> None:
    printer = LogPrinter(Style(prefix=False), stack="shop")
    printer.print(record(), chunk((0, b"\x1b]0;title\x07 \xff\n")))
    printer.finish()
    assert capfdbinary.readouterr().out == b"\x1b]0;title\x07 \xff\n"


def test_json_has_one_object_a_line(capfdbinary) -> None:
    printer = LogPrinter(Style(json=True), stack="shop")
    printer.print(record(), chunk((0, b"one\ntwo\n"), stream=frames.STDERR))
    lines = capfdbinary.readouterr().out.splitlines()
    assert [json.loads(line)["line"] for line in lines] == ["one", "two"]
    assert json.loads(lines[0]) == {
        "time": 1_700_000_000.0,
        "container": "shop-web-1",
        "service": "web",
        "stream": "stderr",
        "line": "one",
    }


def test_what_was_printed_before_the_cut_is_not_printed_again(capfdbinary) -> None:
    printer = LogPrinter(Style(prefix=False), stack="shop")
    printer.print(record(), chunk((0, b"one\n"), (1, b"two\n")))
    assert printer.since == 1_700_000_001
    printer.resume()
    printer.print(record(), chunk((0, b"one\n"), (1, b"two\n")))
    printer.print(record(), chunk((1, b"two\n"), (2, b"three\n")))
    printer.print(record(), chunk((3, b"four\n")))
    printer.finish()
    assert capfdbinary.readouterr().out == b"one\ntwo\nthree\nfour\n"


def test_the_monitors_notes_are_not_lines_of_the_container(capfdbinary) -> None:
    printer = LogPrinter(Style(prefix=False), stack="shop")
    printer.print(record(), chunk((0, b'{"dropped": 5}'), stream=frames.NOTE))
    printer.finish()
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert b"dropped" in err


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\x1b[31mred\x1b[0m\n", b"\x1b[31mred\x1b[0m\n"),
        (b"\x1b]0;title\x07\n", b"\\x1b]0;title\\x07\n"),
        (b"\x1b[2J\n", b"\\x1b[2J\n"),
        (b"\xc2\x9b31m\n", b"\\x9b31m\n"),
        (b"bar\rfoo\r\n", b"bar\\x0dfoo\r\n"),
        (b"tab\tstays\n", b"tab\tstays\n"),
    ],
)
def test_a_terminal_shows_what_would_act_on_it(written: bytes, shown: bytes) -> None:
    assert _cleaner()(written) == shown
