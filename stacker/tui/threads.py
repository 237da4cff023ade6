"""Threads for calls that block. They end with the process, whatever they wait for.

Textual's thread workers are joined at exit, so a supervisor that does not answer would keep the
terminal; these are daemon threads. They talk to the app by posting messages and in no other way.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from textual.message import Message

Post = Callable[[Message], object]


class Threads:
    """Starts threads, and carries what they tell to the app for as long as it listens."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._ended = Event()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def end(self) -> None:
        """Nothing is told any more, and every pause is over."""
        self._ended.set()

    def start(self, name: str, work: Callable[[], None]) -> None:
        Thread(target=work, name=name, daemon=True).start()

    def tell(self, message: Message) -> None:
        if self.ended:
            return
        try:
            self._post(message)
        except RuntimeError:
            self.end()  # the app's event loop was closed between the two lines above

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        self._ended.wait(seconds)
