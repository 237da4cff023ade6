"""The one loop: file descriptors that are ready, and times that have come.

A handler does a bounded piece of work and returns; what is left makes its fd ready again. One that
fails is told to stderr, the monitor's log: no container loses its parent by a bug, nor by an errno
that nobody thought of.
"""

from __future__ import annotations

import heapq
import select
import sys
import time
from collections.abc import Callable

Handler = Callable[[int], None]

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT

_MOST_FAILURES = 20
"""Of one fd, which then is not looked at any more: it would be ready for ever."""


class Loop:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_count = 0
        self._failures: dict[int, int] = {}
        self._ended = False

    def watch(self, fd: int, handler: Handler, events: int = READABLE) -> None:
        """Call the handler with the events whenever the fd is ready."""
        known = fd in self._handlers
        self._handlers[fd] = handler
        self._failures.pop(fd, None)
        if known:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)

    def unwatch(self, fd: int) -> None:
        """Forget an fd; the caller closes it. Idempotent."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        self._timer_count += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._timer_count, call))

    def end(self) -> None:
        self._ended = True

    def run(self) -> None:
        while not self._ended:
            for fd, events in self._epoll.poll(self._timeout()):
                # an earlier handler of this round may have taken the fd away
                handler = self._handlers.get(fd)
                if handler is not None and not _succeeds(handler, events):
                    self._note_failure(fd)
            self._call_timers()

    def _timeout(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())

    def _call_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            _succeeds(heapq.heappop(self._timers)[2])

    def _note_failure(self, fd: int) -> None:
        self._failures[fd] = self._failures.get(fd, 0) + 1
        if self._failures[fd] >= _MOST_FAILURES:
            del self._failures[fd]
            self.unwatch(fd)


def _succeeds(call: Callable[..., None], *arguments: int) -> bool:
    try:
        call(*arguments)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "?"
        sys.stderr.write(f"{place}: {error!r}\n")
        sys.stderr.flush()
        return False
    return True
