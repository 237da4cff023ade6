"""Progress as plain lines: what is done, once each, with foreign text made harmless."""

from __future__ import annotations

from stacker.cli.progress import Progress
from stacker.wire.replies import EventLine


def event(kind: str, message: str = "", **attributes: str | int | float | bool | None) -> EventLine:
    return EventLine(
        seq=1,
        time=0.0,
        kind=kind,
        stack="shop",
        service="",
        container="",
        message=message,
        attributes=attributes,
    )


def lines(capsys, *events: EventLine) -> list[str]:
    progress = Progress(live=False)
    for found in events:
        progress.feed(found)
    progress.close()
    return capsys.readouterr().err.splitlines()


def test_steps_are_told_when_they_end(capsys) -> None:
    assert lines(
        capsys,
        event("step.started", step=1, text="create network shop_default"),
        event("step.done", step=1, text="create network shop_default", seconds=0.01),
        event("step.started", step=2, text="start container shop-web-1"),
        event("step.failed", step=2, text="start container shop-web-1", error="no such file"),
        event("stack.converged"),
    ) == [" ✔ create network shop_default", " ✘ start container shop-web-1: no such file"]


def test_a_pull_is_told_at_its_beginning_and_end(capsys) -> None:
    layer = {"reference": "web:1", "layer": "sha256:ab", "state": "downloading"}
    assert lines(
        capsys,
        event("image.progress", current=1, total=10, **layer),
        event("image.progress", current=5, total=10, **layer),
        event("image.pulled", "image web:1 is here"),
    ) == [" pulling web:1", " ✔ image web:1 is here"]


def test_a_pull_says_why_it_waits(capsys) -> None:
    waiting = {"reference": "web:1", "layer": "sha256:ab", "state": "retrying"}
    assert lines(
        capsys,
        event("image.progress", note="h.io limits our requests\x1b; next try in 9.0 s", **waiting),
    ) == [" pulling web:1", " ! web:1: h.io limits our requests\\x1b; next try in 9.0 s"]


def test_foreign_text_cannot_act_on_the_terminal(capsys) -> None:
    [line] = lines(capsys, event("warning", "\x1b]0;x\x07\u202ename"))
    assert line == " ! \\x1b]0;x\\x07\\u202ename"
