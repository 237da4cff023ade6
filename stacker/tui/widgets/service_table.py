"""The table of containers by stack: draws the lines of ``arrange.py``, and holds the cursor.

Not a DataTable: that one renders every visible cell anew through Rich whenever a number changes,
which for 60 containers took as much processor time as all the rest of the dashboard.
"""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from stacker.tui.arrange import EMPTY, Column, Line, fit, gap
from stacker.tui.view import Target
from stacker.tui.widgets.painting import TONES, crop, strip

HEADER = 1
"""Lines at the top that do not scroll."""


class ServiceTable(ScrollView, can_focus=True):
    """The cursor stays on what it stands on, wherever that moves."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *TONES,
        "table--header",
        "table--head",
        "table--cursor",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "move(-100000)", show=False),
        Binding("end,G", "move(100000)", show=False),
        Binding("enter", "open", show=False),
    ]

    class Chosen(Message):
        """The cursor stands on something else."""

    class Opened(Message):
        """Enter, or a second click."""

    class OrderWanted(Message):
        """A title was clicked."""

        def __init__(self, order: str) -> None:
            self.order = order
            super().__init__()

    def __init__(self) -> None:
        super().__init__(id="services")
        self._lines: list[Line] = []
        self._columns: list[tuple[Column, int]] = []
        self._order = "stack"
        self._cursor = 0
        self._message = ""

    @property
    def chosen(self) -> Target | None:
        """What the cursor stands on."""
        return self._lines[self._cursor].target if self._lines else None

    def show(self, lines: list[Line], *, order: str, message: str) -> None:
        """Show exactly these lines, or the message when there are none."""
        before, place = self.chosen, self._cursor
        self._lines, self._order, self._message = lines, order, message
        places = {line.target: number for number, line in enumerate(lines)}
        first = next((n for n, line in enumerate(lines) if not line.is_head), 0)
        wanted = first if before is None else places.get(before, min(place, len(lines) - 1))
        self._cursor = max(0, wanted)
        self._columns = fit(lines, self.size.width)
        size = Size(self.size.width, len(lines) + HEADER)
        if size != self.virtual_size:
            self.virtual_size = size
        if self._cursor != place:
            self._scroll_to_cursor()
        if self.chosen != before:
            self.post_message(self.Chosen())
        self.refresh()

    def on_resize(self) -> None:
        self._columns = fit(self._lines, self.size.width)
        self.virtual_size = Size(self.size.width, len(self._lines) + HEADER)
        self._scroll_to_cursor()

    # ---- moving

    def action_move(self, step: int) -> None:
        self._go_to(self._cursor + step)

    def action_page(self, pages: int) -> None:
        self._go_to(self._cursor + pages * max(1, self.size.height - HEADER - 1))

    def action_open(self) -> None:
        if self._lines:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        if event.y < HEADER:
            self._click_title(event.x)
            return
        place = event.y - HEADER + self.scroll_offset.y
        if place >= len(self._lines):
            return
        self._go_to(place)
        if event.chain == 2:
            self.action_open()

    def _click_title(self, x: int) -> None:
        left = 1
        for column, width in self._columns:
            if left <= x < left + width and column.order:
                self.post_message(self.OrderWanted(column.order))
            left += width + gap(self.size.width)

    def _go_to(self, place: int) -> None:
        place = max(0, min(place, len(self._lines) - 1))
        if place != self._cursor and self._lines:
            self._cursor = place
            self._scroll_to_cursor()
            self.post_message(self.Chosen())
            self.refresh()

    def _scroll_to_cursor(self) -> None:
        top, rows = self.scroll_offset.y, max(1, self.size.height - HEADER)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + rows:
            self.scroll_to(y=self._cursor - rows + 1, animate=False, force=True)

    # ---- drawing

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y < HEADER:
            return self._header(width)
        place = y - HEADER + self.scroll_offset.y
        if place < len(self._lines):
            return self._line(place, width)
        if not self._lines and y == HEADER + 1:
            return strip([(f"  {self._message}", self._style("tone--faint"))], width, base)
        return Strip.blank(width, base)

    def _header(self, width: int) -> Strip:
        style = self._style("table--header")
        parts = [(" ", style)]
        for column, cells in self._columns:
            ordered = column.order == self._order and self._order != "stack"
            title = column.heading(width) + ("▾" if ordered else "")
            parts.append((crop(title, cells, right=column.right), style))
            parts.append((" " * gap(width), style))
        return strip(parts, width, style)

    def _line(self, place: int, width: int) -> Strip:
        line = self._lines[place]
        base = self.rich_style
        if line.is_head:
            base += self._style("table--head")
        if place == self._cursor:
            base += self._style("table--cursor")
        parts = [(" ", Style())]
        for column, cells in self._columns:
            cell = line.cells.get(column.key, EMPTY)
            style = self._style(f"tone--{cell.tone}") if cell.tone else Style()
            parts.append((crop(cell.text, cells, right=column.right), style))
            parts.append((" " * gap(width), Style()))
        return strip(parts, width, base)

    def _style(self, component: str) -> Style:
        return self.get_component_rich_style(component, partial=True)
