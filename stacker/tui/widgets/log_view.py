"""Lines that keep coming: follows their end, or stands still; shows those that hold some words."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from stacker.tui import log_text
from stacker.tui.log_text import LogLine, Piece
from stacker.tui.widgets.painting import TONES, strip

KEPT = 5_000
"""Lines before the oldest are forgotten."""


class LogView(ScrollView, can_focus=True):
    COMPONENT_CLASSES: ClassVar[set[str]] = {*TONES, "log--found"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "scroll_up", show=False),
        Binding("j", "scroll_down", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
    ]

    class Moved(Message):
        """It follows now, or does not any more."""

    def __init__(self, *, id: str, empty: str, stamps: bool = False) -> None:
        super().__init__(id=id)
        self._lines: deque[LogLine] = deque()
        self._heights: deque[int] = deque()
        """Rows of the screen that each line takes."""
        self._rows: list[Piece] = []
        self._widest_source = 0
        self._empty = empty
        self._words: tuple[str, ...] = ()
        self.follows = True
        self.wraps = True
        self.stamps = stamps

    @property
    def words(self) -> str:
        return " ".join(self._words)

    def add(self, lines: Iterable[LogLine]) -> None:
        """Put lines below the others."""
        widest = self._widest_source
        for line in lines:
            self._lines.append(line)
            self._fold(line)
            widest = max(widest, len(line.source))
        if widest > self._widest_source:
            self._widest_source = widest
            self._fold_all()
        gone = 0
        while len(self._lines) > KEPT:
            self._lines.popleft()
            gone += self._heights.popleft()
        del self._rows[:gone]
        if gone and not self.follows:  # what is looked at stays where it is
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, force=True)
        self._settle()

    def clear(self) -> None:
        """Forget all lines, and follow."""
        self._lines.clear()
        self._heights.clear()
        self._rows.clear()
        self._widest_source = 0
        self.follows = True
        self._settle()

    def look_for(self, text: str) -> None:
        """Show only the lines that hold these words."""
        self._words = tuple(text.lower().split())
        self._fold_all()

    def toggle_follow(self) -> None:
        self.follows = not self.follows
        self._settle()
        self.post_message(self.Moved())

    def toggle_wrap(self) -> None:
        self.wraps = not self.wraps
        self._fold_all()

    def toggle_stamps(self) -> None:
        self.stamps = not self.stamps
        self._fold_all()

    def on_resize(self) -> None:
        self._fold_all()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        follows = new_value >= self.max_scroll_y
        if follows != self.follows:
            self.follows = follows
            self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        place = y + self.scroll_offset.y
        if place < len(self._rows):
            return strip(self._painted(self._rows[place]), width, base)
        if not self._rows and y == 0:
            return strip([(f" {self._nothing()}", self._style("tone--faint"))], width, base)
        return Strip.blank(width, base)

    def _nothing(self) -> str:
        return f"nothing holds {self.words!r}" if self._lines and self._words else self._empty

    def _painted(self, piece: Piece) -> list[tuple[str, Style]]:
        style = self._style(f"tone--{piece.tone}") if piece.tone else Style()
        parts = [(" ", Style())]
        at = 0
        for start, end in log_text.places(piece.text, self._words):
            parts += self._plain(piece, at, start, style)
            parts.append((piece.text[start:end], self._style("log--found")))
            at = end
        return [*parts, *self._plain(piece, at, len(piece.text), style)]

    def _plain(self, piece: Piece, start: int, end: int, style: Style) -> list[tuple[str, Style]]:
        middle = max(start, min(end, piece.faint))
        return [
            (piece.text[start:middle], self._style("tone--faint")),
            (piece.text[middle:end], style),
        ]

    def _style(self, component: str) -> Style:
        return self.get_component_rich_style(component, partial=True)

    def _fold(self, line: LogLine) -> None:
        pieces: list[Piece] = []
        if log_text.matches(line, self._words):
            width = max(1, self.size.width - 2)
            pieces = log_text.fold(
                line, width, stamps=self.stamps, wrap=self.wraps, pad=self._widest_source
            )
        self._heights.append(len(pieces))
        self._rows += pieces

    def _fold_all(self) -> None:
        self._rows.clear()
        self._heights.clear()
        for line in self._lines:
            self._fold(line)
        self._settle()

    def _settle(self) -> None:
        """Let the scroll bar know how much there is, and go to its end when that is followed."""
        follows = self.follows
        self.virtual_size = Size(self.size.width, len(self._rows))
        if follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
            self.follows = True
        self.refresh()
