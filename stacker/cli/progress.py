"""What is under way, from events: one fold for all operations, shown through ``notes``."""

from __future__ import annotations

from stacker.base.text import clean
from stacker.cli import notes, output
from stacker.cli.bars import Bars
from stacker.wire.message import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stacker.client.streams import Operation
    from stacker.wire.replies import EventLine


class Progress:
    """Feed it events; it keeps the screen. Close it before anything else is printed."""

    def __init__(self, *, live: bool | None = None) -> None:
        wanted = notes.is_terminal() if live is None else live
        self._block = notes.Block() if wanted else None
        self._running: dict[object, str] = {}
        self._bars = Bars()

    def feed(self, event: EventLine) -> None:
        show = _SHOWN.get(event.kind)
        if show is not None:
            show(self, event)
            self._draw()

    def close(self) -> None:
        if self._block is not None:
            self._block.clear()

    def step_started(self, event: EventLine) -> None:
        self._running[event.attributes.get("step")] = clean(str(event.attributes.get("text", "")))

    def step_done(self, event: EventLine) -> None:
        text = clean(str(event.attributes.get("text", "")))
        seconds = event.attributes.get("seconds")
        took = f" {seconds:.1f}s" if isinstance(seconds, int | float) and seconds >= 0.05 else ""
        self._running.pop(event.attributes.get("step"), None)
        self._print(f" {notes.paint('✔', notes.GREEN)} {text}{notes.paint(took, notes.DIM)}")

    def step_failed(self, event: EventLine) -> None:
        text = clean(str(event.attributes.get("text", "")))
        reason = clean(str(event.attributes.get("error", "")))
        self._running.pop(event.attributes.get("step"), None)
        self._print(f" {notes.paint('✘', notes.RED)} {text}: {reason}")

    def image_progress(self, event: EventLine) -> None:
        if self._bars.feed(event) and self._block is None:
            verb = "pushing" if event.kind == "image.sending" else "pulling"
            self._print(f" {verb} {clean(str(event.attributes.get('reference', '')))}")
        note = clean(str(event.attributes.get("note") or ""))
        if note and self._block is None:
            reference = clean(str(event.attributes.get("reference", "")))
            self._print(f" {notes.paint('!', notes.YELLOW)} {reference}: {note}")

    def image_here(self, event: EventLine) -> None:
        reference = clean(str(event.attributes.get("image") or event.attributes.get("reference")))
        summary = self._bars.summary(reference)
        more = notes.paint(f"  {summary}", notes.DIM) if summary else ""
        self._print(f" {notes.paint('✔', notes.GREEN)} {clean(event.message)}{more}")

    def told(self, event: EventLine) -> None:
        self._print(f" {notes.paint('!', notes.YELLOW)} {clean(event.message)}")

    def _print(self, line: str) -> None:
        if self._block is not None:
            self._block.clear()
        notes.drawn(line)

    def _draw(self) -> None:
        if self._block is not None:
            running = [
                f" {notes.paint('…', notes.YELLOW)} {text}" for text in self._running.values()
            ]
            self._block.show(running + self._bars.lines())


def follow(
    operation: Operation, *, quiet: bool = False, as_json: bool = False
) -> dict[str, object]:
    """Show an operation's events while it runs, and return its result.

    ``as_json`` prints them to stdout, one a line, in the place of progress.
    """
    progress = Progress()
    try:
        for event in operation:
            if as_json:
                output.json_line(encode(event))
            elif not quiet:
                progress.feed(event)
    finally:
        progress.close()
    return operation.result()


_SHOWN: dict[str, Callable[[Progress, EventLine], None]] = {
    "step.started": Progress.step_started,
    "step.done": Progress.step_done,
    "step.failed": Progress.step_failed,
    "image.progress": Progress.image_progress,
    "image.sending": Progress.image_progress,
    "image.pulled": Progress.image_here,
    "image.pushed": Progress.image_here,
    "image.completed": Progress.image_here,
    "container.backoff": Progress.told,
    "network.repaired": Progress.told,
    "warning": Progress.told,
}
