"""Bars of layers: a fold of events, whose times are all that it knows of time."""

from __future__ import annotations

from stacker.cli.bars import Bars
from stacker.wire.replies import EventLine

MIB = 1 << 20


def event(time: float, layer: str, state: str, current: int = 0, **more: str) -> EventLine:
    attributes = {
        "reference": "r:1", "layer": layer, "state": state, "current": current,
        "total": 10 * MIB if layer else 0, **more,
    }  # fmt: skip
    return EventLine(
        seq=1, time=time, kind="image.progress", stack="", service="", container="", message="",
        attributes=attributes,
    )  # fmt: skip


def fed(*events: EventLine) -> Bars:
    bars = Bars()
    for each in events:
        bars.feed(each)
    return bars


def test_a_bar_has_bytes_rate_and_time_left() -> None:
    bars = fed(
        event(0, "sha256:aa", "waiting"),
        event(1, "sha256:aa", "downloading", 0),
        event(3, "sha256:aa", "downloading", 4 * MIB),
    )
    [line] = bars.lines()
    assert line.startswith("   aa ━━━━━━━━━  ")
    assert line.endswith(" 4MiB/10MiB  downloading  2MiB/s  3 seconds left")


def test_what_was_resumed_counts_neither_as_fetched_nor_as_fast() -> None:
    bars = fed(
        event(1, "sha256:aa", "downloading", 6 * MIB),
        event(3, "sha256:aa", "downloading", 8 * MIB),
    )
    [line] = bars.lines()
    assert "1MiB/s" in line
    assert "(6MiB resumed)" in line
    bars.feed(event(5, "sha256:aa", "downloading", 10 * MIB))
    bars.feed(event(5, "sha256:aa", "done", 10 * MIB))
    assert bars.lines() == []
    assert bars.summary("r:1") == "4MiB in 4.0s, 6MiB resumed"
    assert bars.summary("r:1") == ""


def test_layers_that_were_here_are_shared_and_the_config_is_no_layer() -> None:
    bars = fed(
        event(0, "sha256:cc", "present"),
        event(0, "sha256:aa", "waiting"),
        event(0, "sha256:bb", "waiting"),
        event(1, "sha256:aa", "present"),
        event(1, "sha256:bb", "present"),
    )
    assert bars.summary("r:1") == "2 layers shared"


def test_why_it_waits_is_said() -> None:
    [line] = fed(
        event(0, "sha256:aa", "retrying", 0, note="r limits our requests (429); next try in 2.0 s")
    ).lines()
    assert line.endswith("retrying  r limits our requests (429); next try in 2.0 s")


def test_it_is_too_early_for_a_rate() -> None:
    [line] = fed(
        event(1, "sha256:aa", "downloading", 0), event(1.1, "sha256:aa", "downloading", MIB)
    ).lines()
    assert "/s" not in line
