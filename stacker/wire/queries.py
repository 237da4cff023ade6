"""The query strings of requests: each a message whose fields are the parameters."""

from __future__ import annotations

from stacker.wire.message import Message


class StackQuery(Message):
    stack: str | None = None
    """None: all stacks."""


class ContainersQuery(Message):
    stack: str | None = None
    file: tuple[str, ...] = ()
    """Those of the stack that was declared from these files."""
    working_dir: str | None = None
    """Those of the stack that was declared from there; all, where none was."""


class WaitQuery(Message):
    generation: int
    healthy: bool = False
    """Also wait until what has a health check is healthy."""
    since: int | None = None


class EventsQuery(Message):
    since: int | None = None
    """Only events after this number; None: from now on when following, else all that are kept."""
    follow: bool = False
    stack: str | None = None


class LogsQuery(Message):
    service: tuple[str, ...] = ()
    tail: int | None = None
    """The last so many lines of each container; None: all that are kept."""
    since: float | None = None
    follow: bool = False
