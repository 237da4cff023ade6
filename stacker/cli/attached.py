"""The rest of an ``up`` without ``-d``: logs of all services until they end, or Ctrl-C.

The logs are read here; a thread beside follows the events and ends the logs when nothing runs any
more. Both survive a restart of the supervisor.
"""

from __future__ import annotations

import threading
import time

from stacker.base.errors import NotFound, StackerError, Unavailable
from stacker.cli import interrupts, notes, output
from stacker.cli.exits import Exit
from stacker.cli.log_lines import LogPrinter, Style
from stacker.cli.logs import wants_colour

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stacker.cli.options import Call
    from stacker.client.api import Supervisor
    from stacker.client.streams import EventStream, LogStream
    from stacker.wire.replies import EventLine, StackRow

RETRY_AFTER_S = 0.2
"""A stream that breaks sooner is not asked for again: it would break again."""
TOLD = ("container.exit", "stack.declared", "stack.failed", "warning")
"""Told beside the logs: what ended, and what has become of a saved file."""
TELLING = ("container.exit", "stack.converged", "stack.removed", "stack.failed")


class Attached:
    """One attached ``up``."""

    def __init__(
        self,
        call: Call,
        supervisor: Supervisor,
        stack: str,
        services: tuple[str, ...],
        *,
        since: float,
    ) -> None:
        self._call = call
        self._supervisor = supervisor
        self._stack = stack
        self._services = services
        self._since: float | None = since
        self._printer = LogPrinter(Style(colour=wants_colour()), stack=stack)
        self._logs: LogStream | None = None
        self._events: EventStream | None = None
        self._over = False  # no lock: Ctrl-C may interrupt whoever sets it

    def run(self) -> int:
        """Print until nothing runs any more; stop the stack on Ctrl-C."""
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        try:
            while not self._over:
                self._read_logs()
            self._read_rest()
            self._printer.finish()
            return Exit.OK
        except KeyboardInterrupt:
            self._over = True
            return interrupts.stop_then_kill(self._supervisor, self._stack)
        finally:
            self._over = True
            if self._events is not None:
                self._events.close()

    def _read_logs(self) -> None:
        began = time.monotonic()
        try:
            self._logs = self._supervisor.logs(
                self._stack, self._services, since=self._since, follow=True
            )
            if self._over:  # it ended while we were asking
                self._logs.close()
            for record, frames in self._logs:
                self._printer.print(record, frames)
                output.flush()
        except NotFound:
            self._over = True
        except Unavailable:
            if self._over:
                return
            if time.monotonic() - began < RETRY_AFTER_S:
                raise
            notes.warning("the supervisor went away; going on with the next one")
            self._call.connect_or_start()
            self._printer.resume()
            self._since = self._printer.since or self._since

    def _read_rest(self) -> None:
        """Print what was written last: following ends before it has all been read."""
        self._printer.resume()
        try:
            for record, frames in self._supervisor.logs(
                self._stack, self._services, since=self._since
            ):
                self._printer.print(record, frames)
        except (NotFound, Unavailable):
            return  # it was taken down, and its logs with it

    def _watch(self) -> None:
        """Follow the events; every other one that ends something may be the last."""
        while not self._over:
            try:
                self._events = self._supervisor.events(follow=True, stack=self._stack)
                self._end_when_nothing_runs()
                for event in self._events:
                    self._tell(event)
                    if event.kind in TELLING:
                        self._end_when_nothing_runs()
            except StackerError:
                # the logs notice too, and bring the supervisor back
                time.sleep(0.1)

    def _tell(self, event: EventLine) -> None:
        elsewhere = self._services and event.service and event.service not in self._services
        if self._over or event.kind not in TOLD or elsewhere:
            return
        show = notes.warning if event.kind in ("warning", "stack.failed") else notes.note
        show(event.message)

    def _end_when_nothing_runs(self) -> None:
        stacks = {row.name: row for row in self._supervisor.stacks().stacks}
        row = stacks.get(self._stack)
        if row is None or _is_at_rest(row):
            self._over = True
            if self._logs is not None:
                self._logs.close()


def _is_at_rest(row: StackRow) -> bool:
    """Whether nothing runs, and nothing will without being asked for."""
    return row.in_sync and row.next_at is None and not any(s.running for s in row.services)
