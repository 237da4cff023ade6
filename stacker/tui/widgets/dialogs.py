"""Screens that lie over the others: a question, and the keys."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from stacker.tui.keys import HELP


class Confirm(ModalScreen[bool]):
    """Ask before something stops."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        yield Static(Text(f"{self._question}\n\n  y yes    n no"), id="question")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "end", "close")
    ]

    def compose(self) -> ComposeResult:
        lines = [f"{keys:<14}{what}" for keys, what in HELP]
        with VerticalScroll(id="help"):
            yield Static(Text("\n".join(lines)))

    def action_end(self) -> None:
        self.dismiss(None)
