"""The line above the lower half: its panes, and what the shown one is about."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

PANES = {"logs": "1 logs", "details": "2 details", "events": "3 events"}


class PaneTab(Static):
    """Clicked, it asks for its pane."""

    class Wanted(Message):
        def __init__(self, pane: str) -> None:
            self.pane = pane
            super().__init__()

    def __init__(self, pane: str) -> None:
        super().__init__(Text(f" {PANES[pane]} "), id=f"tab-{pane}")
        self._pane = pane

    def on_click(self) -> None:
        self.post_message(self.Wanted(self._pane))


class PaneBar(Horizontal):
    def __init__(self) -> None:
        super().__init__(id="bar")

    def compose(self) -> ComposeResult:
        for pane in PANES:
            yield PaneTab(pane)
        yield Static(id="about")

    def show(self, pane: str, about: str) -> None:
        for tab in self.query(PaneTab):
            tab.set_class(tab.id == f"tab-{pane}", "shown")
        text = Text(about, no_wrap=True, overflow="ellipsis")
        self.query_one("#about", Static).update(text, layout=False)
