"""The byte protocols of exec and logs: whole frames, however the bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Corrupt
from stacker.wire import execution
from stacker.wire.log_stream import LogRecord, RecordReader, build_record

FRAMES = st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=50)), max_size=6)


@given(FRAMES, st.integers(1, 9))
def test_exec_frames_survive_any_cut(sent: list[tuple[int, bytes]], step: int) -> None:
    stream = b"".join(execution.frame(kind, payload) for kind, payload in sent)
    reader = execution.FrameReader()
    received = [
        frame for at in range(0, len(stream), step) for frame in reader.feed(stream[at : at + step])
    ]
    assert received == sent


def test_the_size_of_a_terminal_travels_in_four_bytes() -> None:
    reader = execution.FrameReader()
    [(kind, payload)] = reader.feed(execution.resize(50, 132))
    assert kind == execution.RESIZE
    assert execution.parse_resize(payload) == (50, 132)
    with pytest.raises(Corrupt):
        execution.parse_resize(b"xyz")


def test_an_exec_frame_that_is_too_long_is_refused() -> None:
    with pytest.raises(Corrupt, match="bytes"):
        execution.FrameReader().feed(b"\x00\xff\xff\xff\xff")


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 30))
def test_log_records_survive_any_cut(sent: list[bytes], step: int) -> None:
    stream = b"".join(build_record("shop-web-1", "web", frames) for frames in sent)
    reader = RecordReader()
    received = [
        frames
        for at in range(0, len(stream), step)
        for _, frames in reader.feed(stream[at : at + step])
    ]
    assert received == sent


def test_a_record_says_whose_it_is() -> None:
    [(record, frames)] = RecordReader().feed(build_record("shop-web-1", "web", b"xy"))
    assert record == LogRecord(container="shop-web-1", service="web", length=2)
    assert frames == b"xy"


@pytest.mark.parametrize("garbage", [b"x" * 5000, b"not json\n", b'{"container": "a"}\n'])
def test_what_is_no_record_is_refused(garbage: bytes) -> None:
    with pytest.raises(Exception, match=r"logs|missing"):
        RecordReader().feed(garbage)
