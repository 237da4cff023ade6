"""Log lines on a screen: harmless, folded, found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from runtime.wire.frames import NOTE, STDOUT
from stacker.tui import log_text
from stacker.tui.log_text import LogLine


def texts(content: bytes, **more: int) -> list[str]:
    return [line.text for line in log_text.lines(0, STDOUT, content, most=more.get("most", 99))]


def test_colours_are_left_away_and_all_else_is_spelled_out() -> None:
    content = b"\x1b[1;32mgreen\x1b[0m\tb\r\n\x1b]0;t\x07\x9b \xff\n"
    assert texts(content) == ["green   b", "\\x1b]0;t\\x07\ufffd \ufffd"]


def test_only_the_last_lines_of_very_many() -> None:
    assert texts(b"a\n" * 1000 + b"y\nz\n", most=2) == ["y", "z"]
    assert texts(b"\n\n") == ["", ""]


def test_a_note_of_the_monitor_stands_out() -> None:
    (line,) = log_text.lines(0, NOTE, b'{"dropped": 7}\n', most=9)
    assert line.tone == "warn"


@given(st.text("ab 長é", max_size=200), st.integers(2, 40), st.text("x1", max_size=9))
def test_folding_loses_nothing_and_fits(text: str, width: int, source: str) -> None:
    line = LogLine(time_ns=0, text=text, source=source)
    pieces = log_text.fold(line, width, stamps=False, wrap=True)
    whole = (f"{source} │ " if source else "") + text
    assert "".join(piece.text for piece in pieces) == whole
    assert all(cell_len(piece.text) <= width for piece in pieces)
    assert sum(piece.faint for piece in pieces) == len(whole) - len(text)


def test_without_wrap_a_line_is_a_row() -> None:
    line = LogLine(time_ns=0, text="x" * 100)
    assert [p.text for p in log_text.fold(line, 10, stamps=False, wrap=False)] == ["x" * 10]


@given(st.text("abAB", max_size=30), st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
def test_places_are_apart_and_hold_a_word(text: str, words: list[str]) -> None:
    at = 0
    for start, end in log_text.places(text, words):
        assert at <= start
        assert text[start:end].lower() in words
        at = end


def test_lines_match_when_they_hold_every_word() -> None:
    line = LogLine(time_ns=0, text="GET /orders 200", source="api-1")
    assert log_text.matches(line, ("get", "api"))
    assert not log_text.matches(line, ("get", "404"))
    assert log_text.matches(line, ())
