"""Screens that lie over the others: a question, and the keys."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = (
    ("↑ ↓ j k", "choose a container"),
    ("enter l", "its logs"),
    ("d", "its details"),
    ("e", "events"),
    ("tab", "next pane"),
    ("/", "filter; esc ends it"),
    ("z", "only what is wrong"),
    ("o", "order: name, cpu, memory, restarts"),
    ("f", "follow the logs, or stand still"),
    ("m", "enlarge the lower half"),
    ("x", "a shell in the container"),
    ("S s r", "start, stop, restart the service"),
    ("q", "quit; everything goes on"),
)


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
        yield Static(Text(f"{self._question}\n\n[y] yes    [n] no"), id="question")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss_help", "close")
    ]

    def compose(self) -> ComposeResult:
        lines = [f"{keys:<10} {what}" for keys, what in KEYS]
        yield Static(Text("\n".join(lines)), id="help")

    def action_dismiss_help(self) -> None:
        self.dismiss(None)
