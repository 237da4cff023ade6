"""Events → lines of the events pane. Pure."""

from __future__ import annotations

from stacker.base.text import clean
from stacker.tui.log_text import LogLine
from stacker.wire.replies import EventLine

BAD = ("step.failed", "stack.failed", "warning")
WORTH_A_LOOK = ("container.exit", "container.backoff", "network.repaired")


def line(event: EventLine) -> LogLine:
    """Say when, what, where and why."""
    where = event.container or event.stack
    what = event.message if where in event.message else f"{where} {event.message}"
    return LogLine(
        time_ns=int(event.time * 1e9),
        text=clean(f"{event.kind:<17} {what}"),
        tone="bad" if event.kind in BAD or _is_bad(event) else _tone(event),
    )


def _is_bad(event: EventLine) -> bool:
    return event.attributes.get("health") == "unhealthy"


def _tone(event: EventLine) -> str:
    return "warn" if event.kind in WORTH_A_LOOK else ""
