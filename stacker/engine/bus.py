"""Events: numbered here, told to whoever follows, kept in the history.

A follower that does not read is not waited for: its stream is bounded, and what did not fit is
read again from the history (``follow`` notices the gap by the sequence numbers).
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import islice

import anyio
from anyio import to_thread

from stacker.engine.ports import History
from stacker.plan.events import Event

RECENT = 2_000
"""Events kept in memory, so that a follower rarely needs the disk."""
FLUSH_AFTER_S = 0.5
PASSING = ("image.progress", "image.sending")
"""Told to those who listen, and not kept."""

Attributes = str | int | float | bool | None


class Bus:
    def __init__(self, history: History, *, now: Callable[[], float]) -> None:
        self._history = history
        self._now = now
        self._seq = history.last_seq()
        self._recent: deque[Event] = deque(maxlen=RECENT)
        self._unwritten: list[Event] = []
        self._changed = anyio.Event()

    @property
    def seq(self) -> int:
        """The number of the latest event."""
        return self._seq

    def emit(
        self,
        kind: str,
        message: str = "",
        *,
        stack: str = "",
        service: str = "",
        container: str = "",
        **attributes: Attributes,
    ) -> Event:
        self._seq += 1
        event = Event(
            seq=self._seq,
            time=self._now(),
            kind=kind,
            stack=stack,
            service=service,
            container=container,
            message=message,
            attributes=attributes,
        )
        self._recent.append(event)
        if kind not in PASSING:
            self._unwritten.append(event)
        self._changed.set()
        self._changed = anyio.Event()
        return event

    async def follow(self, *, since: int | None, forever: bool) -> AsyncIterator[Event]:
        """Yield the events after ``since`` (None: from now on), and with ``forever`` all new ones.

        Progress of pulls is only told to those who are listening; it is not kept.
        """
        last = self._seq if since is None else since
        for event in await self._older(last):
            last = event.seq
            yield event

        while True:
            changed = self._changed
            for event in self._newer(last):
                last = event.seq
                yield event
            if not forever:
                return
            if last >= self._seq:
                await changed.wait()

    async def keep(self) -> None:
        """Write new events to the history from time to time, until cancelled."""
        try:
            while True:
                if not self._unwritten:
                    await self._changed.wait()
                await anyio.sleep(FLUSH_AFTER_S)
                await to_thread.run_sync(self.flush)
        finally:
            self.flush()

    def flush(self) -> None:
        batch, self._unwritten = self._unwritten, []
        self._history.add(batch)

    async def _older(self, last: int) -> list[Event]:
        """Events that are not in memory any more."""
        oldest = self._recent[0].seq if self._recent else self._seq + 1
        if last + 1 >= oldest:
            return []
        kept = await to_thread.run_sync(self._history.since, last)
        return [event for event in kept if event.seq < oldest]

    def _newer(self, last: int) -> list[Event]:
        if not self._recent or self._recent[-1].seq <= last:
            return []
        # numbers have no gaps, and mostly one event is new: what is old is not copied
        count = self._recent[-1].seq - last
        return list(islice(reversed(self._recent), count))[::-1]
