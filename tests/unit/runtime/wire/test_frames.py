"""Frames: what is built comes apart again, wherever the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire import frames

FRAME = st.tuples(st.integers(0, 2**63), st.sampled_from((0, 1, 2)), st.binary(max_size=40))


@given(st.lists(FRAME, max_size=20), st.integers(0, 2000))
def test_split_yields_what_is_whole(parts: list[tuple[int, int, bytes]], cut: int) -> None:
    built = [frames.build(*part) for part in parts]
    buffer = b"".join(built)[:cut]
    end = frames.whole(buffer)
    found = [(time, stream, bytes(content)) for time, stream, content in frames.split(buffer)]
    assert found == parts[: len(found)]
    assert end == sum(len(one) for one in built[: len(found)])
    assert len(found) == len(parts) or len(buffer) < end + len(built[len(found)])


@given(FRAME, st.integers(0, 60))
def test_a_torn_frame_keeps_what_was_written(part: tuple[int, int, bytes], cut: int) -> None:
    torn = frames.build(*part)[:cut]
    mended = list(frames.split(frames.mend(torn)))
    if cut < frames.HEADER.size:
        assert mended == []
    else:
        assert [bytes(content) for _, _, content in mended] == [part[2][: cut - 16]]


def test_what_is_no_frame_is_refused() -> None:
    for header in (frames.build_header(1, 3, 1), frames.build_header(1, 1, frames.LARGEST + 1)):
        with pytest.raises(frames.BadFrame):
            frames.whole(header)
        with pytest.raises(frames.BadFrame):
            list(frames.split(header))
