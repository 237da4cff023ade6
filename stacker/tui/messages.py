"""What the worker threads tell the app."""

from __future__ import annotations

from textual.message import Message

from stacker.wire.replies import Containers, EventLine, Stats


class Seen(Message):
    """Containers as they are now; a later one replaces one that still waits."""

    def __init__(self, containers: Containers) -> None:
        self.containers = containers
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Seen)


class Sampled(Message):
    def __init__(self, stats: Stats) -> None:
        self.stats = stats
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Sampled)


class Happened(Message):
    def __init__(self, event: EventLine) -> None:
        self.event = event
        super().__init__()


class Logged(Message):
    """Whole lines of one container, as text."""

    def __init__(self, target: str, lines: list[str]) -> None:
        self.target = target
        """Which container was asked for: a late message of another one is dropped."""
        self.lines = lines
        super().__init__()


class Described(Message):
    def __init__(self, target: str, text: str) -> None:
        self.target = target
        self.text = text
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
