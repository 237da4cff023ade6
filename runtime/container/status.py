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
    "ps": (CREATED, RUNNING, PAUSED, STOPPED),
    "events": (CREATED, RUNNING, PAUSED),
    "checkpoint": (RUNNING, PAUSED),
}


def status_of(*, alive: bool, complete: bool, awaiting_start: bool, frozen: bool) -> str:
    return _STATUS[complete, awaiting_start, frozen] if alive else STOPPED


# runc's words, which podman, containerd and CRI-O look for; (operation, status), or any status
_REFUSALS = {
    ("start", RUNNING): "cannot start an already running container: {id}",
    ("start", PAUSED): "cannot start an already running container: {id}",
    ("start", STOPPED): "cannot start a container that has stopped: {id}",
    ("exec", STOPPED): "cannot exec in a stopped container: {id}",
    ("exec", PAUSED): "cannot exec in a paused container (use --ignore-paused to override): {id}",
    ("exec in a paused container", STOPPED): "cannot exec in a stopped container: {id}",
    ("kill", STOPPED): "container not running: {id}",
    ("delete", ""): "cannot delete container {id} that is not stopped: {status}",
    ("pause", ""): "container not running: {id}",
    ("resume", ""): "container not paused: {id}",
    ("update", ""): "container not running: {id}",
    ("events", ""): "container with id {id} is not running",
    ("checkpoint", ""): "container {id} cannot be checkpointed in the {status} state",
}
_REFUSAL = "cannot {operation} container {id} in the {status} state"


def require(operation: str, identity: str, status: str) -> None:
    if status not in ALLOWED[operation]:
        text = _REFUSALS.get((operation, status)) or _REFUSALS.get((operation, ""), _REFUSAL)
        raise StateConflict(text.format(operation=operation, id=identity, status=status))
