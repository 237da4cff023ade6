"""Ctrl-C in an attached command: the first asks politely, the second insists."""

from __future__ import annotations

from stacker.cli import notes, progress
from stacker.cli.exits import Exit
from stacker.wire.requests import KillRequest, ServicesRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stacker.client.api import Supervisor


def stop_then_kill(supervisor: Supervisor, stack: str) -> int:
    """Stop the stack with its grace, it is declared stopped then; kill it on another Ctrl-C."""
    try:
        notes.note("")  # below the ^C that the terminal shows
        notes.note(f"stopping {stack}; press Ctrl-C again to kill")
        progress.follow(supervisor.stop(stack, ServicesRequest()))
    except KeyboardInterrupt:
        notes.note("")
        notes.note(f"killing {stack}")
        progress.follow(supervisor.kill(stack, KillRequest()))
    return Exit.INTERRUPTED
