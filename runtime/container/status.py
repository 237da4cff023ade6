"""The status of a container, and what each command may be asked in which one. Pure tables."""

from __future__ import annotations

from runtime.errors import StateConflict

CREATING = "creating"
CREATED = "created"
RUNNING = "running"
PAUSED = "paused"
STOPPED = "stopped"

# of a live process: (made completely, start still awaited, frozen) -> status
_STATUS = {
    (False, True, False): CREATING,
    (False, True, True): CREATING,
    (False, False, False): CREATING,
    (False, False, True): CREATING,
    (True, True, False): CREATED,
    (True, True, True): PAUSED,
    (True, False, False): RUNNING,
    (True, False, True): PAUSED,
}

ALLOWED = {
    "start": (CREATED,),
    "kill": (CREATED, RUNNING, PAUSED),
    "exec": (CREATED, RUNNING),
    "exec in a paused container": (CREATED, RUNNING, PAUSED),
    "delete": (STOPPED,),
    "pause": (RUNNING, CREATED),
    "resume": (PAUSED,),
    "update": (CREATED, RUNNING, PAUSED),
    "ps": (CREATED, RUNNING, PAUSED),
}


def status_of(*, alive: bool, complete: bool, awaiting_start: bool, frozen: bool) -> str:
    return _STATUS[complete, awaiting_start, frozen] if alive else STOPPED


def require(operation: str, identity: str, status: str) -> None:
    allowed = ALLOWED[operation]
    if status not in allowed:
        raise StateConflict(
            f"cannot {operation} container {identity}: it is {status}, not {' or '.join(allowed)}"
        )
