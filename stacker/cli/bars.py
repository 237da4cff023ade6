"""How far layers are: one bar a layer, and one line an image when it is here. A fold of events.

Times are the events' own, so that what is shown depends on nothing else.
"""

from __future__ import annotations

from stacker.base.text import clean, size, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stacker.wire.replies import EventLine

BAR_WIDTH = 24
GONE = ("done", "present", "mounted", "skipped")
"""States after which a layer has no bar."""
SETTLED_S = 0.5
"""A rate of a shorter time says nothing."""


class Layer:
    """One layer, or another blob, on its way."""

    def __init__(self) -> None:
        self.state = ""
        self.current = 0
        self.total = 0
        self.note = ""
        self.resumed = 0
        """Bytes of an earlier attempt, which were not fetched again."""
        self.began_at: float | None = None
        self.at = 0.0
        self.is_layer = False

    def feed(self, event: EventLine) -> None:
        self.state = _text(event, "state")
        self.note = _text(event, "note")
        current, self.at = _count(event, "current"), event.time
        self.total = _count(event, "total") or self.total
        # the config is a blob too, but only layers wait for their turn
        self.is_layer = self.is_layer or self.state == "waiting"
        if self.state in ("downloading", "uploading"):
            if self.began_at is None:
                self.began_at, self.resumed = event.time, current
            self.current = current

    @property
    def fetched(self) -> int:
        return max(0, self.current - self.resumed)

    def rate(self) -> float | None:
        """Bytes a second since it began; None: it is too early to say."""
        if self.began_at is None or self.at - self.began_at < SETTLED_S:
            return None
        return self.fetched / (self.at - self.began_at)

    def line(self, name: str) -> str:
        """Its bar, with what there is to say beside it."""
        short = name.partition(":")[2][:12] or name[:12]
        if self.total <= 0 or self.state == "waiting":
            return "  ".join(filter(None, (f"   {short} {self.state}", self.note)))
        filled = min(BAR_WIDTH, BAR_WIDTH * self.current // self.total)
        bar = "━" * filled + " " * (BAR_WIDTH - filled)
        words = [f"   {short} {bar} {size(self.current)}/{size(self.total)}", self.state]
        rate = self.rate()
        if rate and self.state in ("downloading", "uploading"):
            left = (self.total - self.current) / rate
            words += [f"{size(rate)}/s", f"{span(left)} left"]
        if self.resumed:
            words.append(f"({size(self.resumed)} resumed)")
        if self.note:
            words.append(self.note)
        return "  ".join(words)


class Bars:
    """All images that are under way."""

    def __init__(self) -> None:
        self._images: dict[str, dict[str, Layer]] = {}

    def feed(self, event: EventLine) -> bool:
        """Take an event of a blob or of an image; is the image new?"""
        reference = _text(event, "reference")
        is_new = reference not in self._images
        layers = self._images.setdefault(reference, {})
        name = _text(event, "layer") or _text(event, "blob")
        if name:
            layers.setdefault(name, Layer()).feed(event)
        return is_new

    def lines(self) -> list[str]:
        """The bars of what is not done."""
        return [
            layer.line(name)
            for layers in self._images.values()
            for name, layer in layers.items()
            if layer.state not in GONE
        ]

    def summary(self, reference: str) -> str:
        """What an image came to: ``20MiB in 2 seconds, 3 layers shared``; forgets it."""
        return _summary(list(self._images.pop(reference, {}).values()))

    def clear(self) -> None:
        self._images.clear()


def _summary(found: list[Layer]) -> str:
    fetched = sum(layer.fetched for layer in found)
    resumed = sum(layer.resumed for layer in found)
    shared = sum(layer.is_layer and layer.state in ("present", "mounted") for layer in found)
    begun = [layer.began_at for layer in found if layer.began_at is not None]
    parts: list[str] = []
    if fetched:
        took = max(layer.at for layer in found) - min(begun)
        parts.append(f"{size(fetched)} in {took:.1f}s")
    if resumed:
        parts.append(f"{size(resumed)} resumed")
    if shared:
        parts.append(f"{shared} layer{'s' if shared > 1 else ''} shared")
    return ", ".join(parts)


def _text(event: EventLine, name: str) -> str:
    return clean(str(event.attributes.get(name) or ""))


def _count(event: EventLine, name: str) -> int:
    value = event.attributes.get(name)
    return value if isinstance(value, int) else 0
