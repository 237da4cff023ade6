"""Lines: the same however the bytes were cut into frames, streams never mixed within one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.frames import build
from runtime.wire.lines import LONGEST_LINE, Lines, prefixed

BYTES = st.binary(max_size=30).map(lambda b: b.replace(b"a", b"\n"))
PIECES = st.lists(st.tuples(st.sampled_from((1, 2)), BYTES), max_size=20)


def assemble(pieces: list[tuple[int, bytes]]) -> list[tuple[int, int, bytes]]:
    lines = Lines()
    found: list[tuple[int, int, bytes]] = []
    for time_ns, (stream, content) in enumerate(pieces):
        found += lines.feed(build(time_ns, stream, content))
    return [*found, *lines.rest()]


@given(PIECES)
def test_each_stream_comes_whole_and_in_lines(pieces: list[tuple[int, bytes]]) -> None:
    found = assemble(pieces)
    assert all(content.endswith(b"\n") for _, _, content in found)
    for stream in (1, 2):
        sent = b"".join(content for which, content in pieces if which == stream)
        wanted = sent if sent.endswith(b"\n") or not sent else sent + b"\n"
        assert b"".join(c for _, which, c in found if which == stream) == wanted


def test_a_line_has_the_time_at_which_it_began() -> None:
    found = assemble([(1, b"one\ntw"), (2, b"err"), (1, b"o\nthree\n"), (2, b"or\n")])
    assert found == [
        (0, 1, b"one\n"),
        (0, 1, b"two\n"),
        (2, 1, b"three\n"),
        (1, 2, b"error\n"),
    ]


def test_a_line_without_end_is_cut() -> None:
    lines = Lines()
    part = b"x" * (LONGEST_LINE // 2)
    assert list(lines.feed(build(1, 1, part))) == []
    assert list(lines.feed(build(2, 1, part))) == [(1, 1, part + part + b"\n")]
    assert list(lines.rest()) == []


@given(st.lists(st.binary(max_size=5).map(lambda b: b.replace(b"\n", b".")), min_size=1))
def test_every_line_gets_the_prefix(lines: list[bytes]) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    assert prefixed(whole, b"web | ") == b"".join(b"web | " + line + b"\n" for line in lines)
