"""What is under way, from events: one fold for all operations, shown through ``notes``."""

from __future__ import annotations

from stacker.base.text import clean, size
from stacker.cli import notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stacker.client.streams import Operation
    from stacker.wire.replies import EventLine

BAR_WIDTH = 24


class Progress:
    """Feed it events; it keeps the screen. Close it before anything else is printed."""

    def __init__(self, *, live: bool | None = None) -> None:
        wanted = notes.is_terminal() if live is None else live
        self._block = notes.Block() if wanted else None
        self._running: dict[object, str] = {}
        self._layers: dict[str, tuple[str, int, int]] = {}
        self._pulling: set[str] = set()

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
        reference = clean(str(event.attributes.get("reference", "")))
        layer = clean(str(event.attributes.get("layer", "")))
        state = clean(str(event.attributes.get("state", "")))
        if self._block is None and reference not in self._pulling:
            self._pulling.add(reference)
            self._print(f" pulling {reference}")
        if note := clean(str(event.attributes.get("note", ""))):
            self._print(f" {notes.paint('!', notes.YELLOW)} {reference}: {note}")
        if not layer:
            return
        if state in ("done", "present"):
            self._layers.pop(layer, None)
        else:
            current, total = (_count(event, name) for name in ("current", "total"))
            self._layers[layer] = (state, current, total)

    def image_pulled(self, event: EventLine) -> None:
        self._layers.clear()
        self._print(f" {notes.paint('✔', notes.GREEN)} {clean(event.message)}")

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
            bars = [_bar(layer, *found) for layer, found in self._layers.items()]
            self._block.show(running + bars)


def follow(operation: Operation, *, quiet: bool = False) -> dict[str, object]:
    """Show an operation's events while it runs, and return its result."""
    progress = Progress()
    try:
        for event in operation:
            if not quiet:
                progress.feed(event)
    finally:
        progress.close()
    return operation.result()


def _bar(layer: str, state: str, current: int, total: int) -> str:
    name = layer.removeprefix("sha256:")[:12]
    if total <= 0:
        return f"   {name} {state}"
    filled = min(BAR_WIDTH, BAR_WIDTH * current // total)
    bar = "━" * filled + " " * (BAR_WIDTH - filled)
    return f"   {name} {bar} {size(current)}/{size(total)} {state}"


def _count(event: EventLine, name: str) -> int:
    value = event.attributes.get(name)
    return value if isinstance(value, int) else 0


_SHOWN: dict[str, Callable[[Progress, EventLine], None]] = {
    "step.started": Progress.step_started,
    "step.done": Progress.step_done,
    "step.failed": Progress.step_failed,
    "image.progress": Progress.image_progress,
    "image.pulled": Progress.image_pulled,
    "container.backoff": Progress.told,
    "network.repaired": Progress.told,
    "warning": Progress.told,
}
