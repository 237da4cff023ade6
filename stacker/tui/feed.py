"""Blocking loops over the client, for threads: they post messages and touch no widget.

Level-based like the supervisor: an event only says that it is time to look again. Each loop goes on
over a restart of the supervisor.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from threading import Event

from stacker.base.errors import StackerError
from stacker.client.api import Supervisor
from stacker.client.streams import EventStream
from stacker.tui.log_feed import LogFeed
from stacker.tui.messages import Asked, Connection, Described, Happened, Sampled, Seen
from stacker.tui.threads import Post, Threads
from stacker.tui.view import Target
from stacker.wire.replies import EventLine, StackRow
from stacker.wire.requests import ServicesRequest

LOOK_EVERY_S = 2.0
LOOK_AT_MOST_EVERY_S = 0.15
"""A burst of events is one reason to look, not many."""
SAMPLE_EVERY_S = 1.0
RETRY_S = 0.5
PAST_EVENTS = 200
NOT_SHOWN = ("image.progress",)


class Feed:
    """What the dashboard knows of the world."""

    def __init__(self, supervisor: Supervisor, stack: str | None, post: Post) -> None:
        self._supervisor = supervisor
        self._stack = stack
        self._threads = Threads(post)
        self._stale = Event()
        self._events: EventStream | None = None
        self._logs: LogFeed | None = None

    def start(self) -> None:
        """Begin to tell, from threads of its own."""
        self._threads.start("containers", self._watch_containers)
        self._threads.start("samples", self._sample)
        self._threads.start("events", self._follow_events)

    def end(self) -> None:
        """Make every thread return as soon as it can; nobody waits for them."""
        self._threads.end()
        self._stale.set()
        self.stop_logs()
        if self._events is not None:
            self._events.close()

    def look_again(self) -> None:
        self._stale.set()

    def follow_logs(self, target: Target) -> None:
        """Tell what is logged there, until another one is asked for."""
        self.stop_logs()
        logs = self._logs = LogFeed(self._supervisor, target, self._threads)
        self._threads.start("logs", logs.follow)

    def stop_logs(self) -> None:
        logs, self._logs = self._logs, None
        if logs is not None:
            logs.end()

    def describe(self, target: Target) -> None:
        """Tell all that is known about it, once."""
        self._threads.start("details", lambda: self._describe(target))

    def ask(self, verb: str, target: Target) -> None:
        """Stop, start or restart, and tell how that ended."""
        self._threads.start(verb, lambda: self._ask(verb, target))

    # ---- what the threads run

    def _watch_containers(self) -> None:
        while not self._threads.ended:
            self._stale.clear()
            try:
                seen = self._supervisor.containers(self._stack)
            except (StackerError, OSError) as error:
                self._threads.tell(Connection(str(error)))
                self._threads.pause(RETRY_S)
                continue
            self._threads.tell(Connection(None))
            self._threads.tell(Seen(seen))
            self._threads.pause(LOOK_AT_MOST_EVERY_S)
            self._stale.wait(LOOK_EVERY_S)

    def _sample(self) -> None:
        while not self._threads.ended:
            # `_watch_containers` asks the same supervisor and says what is wrong with it
            with suppress(StackerError, OSError):
                self._threads.tell(Sampled(self._supervisor.stats(self._stack)))
            self._threads.pause(SAMPLE_EVERY_S)

    def _follow_events(self) -> None:
        since: int | None = None
        while not self._threads.ended:
            with suppress(StackerError, OSError, ValueError):
                if since is None:
                    since = self._tell_past()
                self._events = self._supervisor.events(since=since, follow=True, stack=self._stack)
                if self._threads.ended:  # `end` may not have seen the stream
                    self._events.close()
                for event in self._events:
                    since = event.seq
                    if event.kind not in NOT_SHOWN:
                        self._threads.tell(Happened([event]))
                    self.look_again()
            self._threads.pause(RETRY_S)

    def _tell_past(self) -> int:
        """Tell the latest events that there were, and return the last one's number."""
        latest: deque[EventLine] = deque(maxlen=PAST_EVENTS)
        last = 0
        for event in self._supervisor.events(since=0, stack=self._stack):
            last = event.seq
            if event.kind not in NOT_SHOWN:
                latest.append(event)
        self._threads.tell(Happened(list(latest)))
        return last

    def _describe(self, target: Target) -> None:
        found: dict[str, object] | StackRow | str
        try:
            if target.service:
                found = self._supervisor.inspect(target.stack, target.name)
            else:
                stacks = self._supervisor.stacks().stacks
                found = next((s for s in stacks if s.name == target.stack), "it is gone")
        except (StackerError, OSError) as error:
            found = str(error)
        self._threads.tell(Described(target, found))

    def _ask(self, verb: str, target: Target) -> None:
        ask = {
            "stop": self._supervisor.stop,
            "start": self._supervisor.start,
            "restart": self._supervisor.restart,
        }[verb]
        error: str | None = None
        try:
            ask(target.stack, ServicesRequest(services=target.services)).result()
        except (StackerError, OSError) as failure:
            error = str(failure)
        self._threads.tell(Asked(f"{verb} {target}", error))
        self.look_again()
