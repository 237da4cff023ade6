"""The field for words that lines have to hold; what it does while one types is the app's."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class Finder(Input):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "keep"),
        Binding("escape", "app.leave", "show all"),
    ]

    def __init__(self) -> None:
        super().__init__(id="finder-input", compact=True)
