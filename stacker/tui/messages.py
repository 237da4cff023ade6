"""What the threads tell the app. ``can_replace``: a later one makes one that still waits idle."""

from __future__ import annotations

from collections.abc import Callable

from textual.message import Message

from stacker.tui.log_text import LogLine
from stacker.tui.view import Target
from stacker.wire.replies import Containers, EventLine, StackRow, Stats


class Seen(Message):
    """Containers as they are now."""

    def __init__(self, containers: Containers) -> None:
        self.containers = containers
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Seen)


class Sampled(Message):
    def __init__(self, stats: Stats) -> None:
        self.stats = stats
        super().__init__()


class Happened(Message):
    def __init__(self, events: list[EventLine]) -> None:
        self.events = events
        super().__init__()


class Logged(Message):
    """There are lines of what is looked at; ``take`` gives those that came until it is called."""

    def __init__(self, target: Target, take: Callable[[], list[LogLine]]) -> None:
        self.target = target
        """What was asked for: a late message of another one is dropped."""
        self.take = take
        super().__init__()


class Described(Message):
    """All about what is looked at: the answer of ``inspect``, or a stack, or why there is none."""

    def __init__(self, target: Target, found: dict[str, object] | StackRow | str) -> None:
        self.target = target
        self.found = found
        super().__init__()


class Connection(Message):
    """The supervisor answers, or why it does not."""

    def __init__(self, error: str | None) -> None:
        self.error = error
        super().__init__()


class Asked(Message):
    """How something that the user asked for ended."""

    def __init__(self, text: str, error: str | None) -> None:
        self.text = text
        self.error = error
        super().__init__()
