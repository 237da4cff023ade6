"""What is known about the chosen one, as two columns; stays where it was scrolled to."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from stacker.tui.details import Fact
from stacker.tui.widgets.painting import TONES


class DetailsView(VerticalScroll):
    COMPONENT_CLASSES: ClassVar[set[str]] = {*TONES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "scroll_up", show=False),
        Binding("j", "scroll_down", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.facts: list[Fact] = []

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, facts: list[Fact]) -> None:
        if facts == self.facts:
            return
        self.facts = facts
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for fact in facts:
            grid.add_row(
                Text(fact.label, style=self._style("faint")),
                Text(fact.value, style=self._style(fact.tone)),
            )
        self.query_one(Static).update(grid)

    def _style(self, tone: str) -> Style:
        return self.get_component_rich_style(f"tone--{tone}", partial=True) if tone else Style()
