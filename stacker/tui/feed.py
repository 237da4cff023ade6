"""Blocking loops over the client, for worker threads: they post messages and touch no widget.

Level-based like the supervisor: an event only says that it is time to look again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from threading import Event

from textual.message import Message

from runtime.wire.frames import NOTE, BadFrame
from runtime.wire.lines import Lines
from stacker.base.errors import StackerError
from stacker.base.text import clean
from stacker.client.api import Supervisor
from stacker.client.streams import EventStream, LogStream
from stacker.tui.messages import Connection, Described, Happened, Logged, Sampled, Seen

LOOK_EVERY_S = 2.0
SAMPLE_EVERY_S = 1.0
RETRY_S = 0.5
TAIL = 300

Post = Callable[[Message], object]


class Feed:
    """What the dashboard knows of the world. One thread runs each of the loops."""

    def __init__(self, supervisor: Supervisor, stack: str | None, post: Post) -> None:
        self._supervisor = supervisor
        self._stack = stack
        self._post = post
        self._ended = Event()
        self._stale = Event()
        self._events: EventStream | None = None
        self._logs: LogStream | None = None
        self._target = ""

    def end(self) -> None:
        """Make every loop return soon."""
        self._ended.set()
        self._stale.set()
        for stream in (self._events, self._logs):
            if stream is not None:
                stream.close()

    def look_again(self) -> None:
        self._stale.set()

    def follow_events(self) -> None:
        """Tell events, from the latest on; connect again when the supervisor was restarted."""
        since: int | None = None
        while not self._ended.is_set():
            try:
                self._events = self._supervisor.events(since=since, follow=True, stack=self._stack)
                for event in self._events:
                    since = event.seq
                    if event.kind != "image.progress":
                        self._post(Happened(event))
                    self._stale.set()
            except (StackerError, OSError, ValueError):
                pass  # `watch_containers` asks the same supervisor and says what is wrong
            self._ended.wait(RETRY_S)

    def watch_containers(self) -> None:
        """Tell what there is, after each event and from time to time."""
        while not self._ended.is_set():
            try:
                seen = self._supervisor.containers(self._stack)
            except StackerError as error:
                self._post(Connection(str(error)))
                self._ended.wait(RETRY_S)
                continue
            self._post(Connection(None))
            self._post(Seen(seen))
            self._stale.wait(LOOK_EVERY_S)
            self._stale.clear()

    def sample(self) -> None:
        """Tell what containers use."""
        while not self._ended.is_set():
            with suppress(StackerError):
                self._post(Sampled(self._supervisor.stats(self._stack)))
            self._ended.wait(SAMPLE_EVERY_S)

    def follow_logs(self, stack: str, service: str, container: str) -> None:
        """Tell the lines of one container until another one is asked for."""
        self.stop_logs()
        self._target = container
        lines = Lines()
        try:
            stream = self._logs = self._supervisor.logs(stack, (service,), tail=TAIL, follow=True)
            for record, frames in stream:
                if self._target != container:
                    return
                if record.container != container:
                    continue
                texts: list[str] = []
                for _, kind, content in lines.feed(frames):
                    if kind != NOTE:
                        texts += [clean(line) for line in _lines(content)]
                if texts:
                    self._post(Logged(container, texts))
        except (StackerError, BadFrame, OSError, ValueError) as error:
            if self._target == container and not self._ended.is_set():
                self._post(Logged(container, [f"(logs: {clean(str(error))})"]))

    def stop_logs(self) -> None:
        self._target = ""
        stream, self._logs = self._logs, None
        if stream is not None:
            stream.close()

    def describe(self, stack: str, container: str) -> None:
        """Tell all that is known about one container."""
        try:
            found = self._supervisor.inspect(stack, container)
            text = json.dumps(found, indent=2, sort_keys=True, ensure_ascii=True)
        except StackerError as error:
            text = str(error)
        self._post(Described(container, text))


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="replace").rstrip("\n").split("\n")
