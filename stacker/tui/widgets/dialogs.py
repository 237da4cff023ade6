"""Screens that lie over the others: a question, and the keys."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = (
    ("↑ ↓ j k g G", "choose a container, or a whole stack"),
    ("enter", "go to the lower pane; esc comes back"),
    ("tab", "from one half to the other"),
    ("l d e, 1 2 3", "logs, details, events"),
    ("", ""),
    ("/", "show what holds some words: containers,"),
    ("", "or lines when the lower pane has the focus"),
    ("esc", "end that"),
    ("z", "only what is wrong"),
    ("o", "order: stack, cpu, memory, net, restarts"),
    ("m", "enlarge the lower half"),
    ("", ""),
    ("f", "follow the logs, or stand still"),
    ("w t", "wrap long lines; say when"),
    ("", ""),
    ("x", "a shell in the container"),
    ("S s r", "start, stop, restart the service or stack"),
    ("q", "quit; all containers go on"),
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
        yield Static(Text(f"{self._question}\n\n  y yes    n no"), id="question")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "end", "close")
    ]

    def compose(self) -> ComposeResult:
        lines = [f"{keys:<14}{what}" for keys, what in KEYS]
        with VerticalScroll(id="help"):
            yield Static(Text("\n".join(lines)))

    def action_end(self) -> None:
        self.dismiss(None)
