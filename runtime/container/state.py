"""state.json: what a later command needs and the kernel cannot tell; replaced whole."""

from __future__ import annotations

import os

from runtime.container import directory
from runtime.container.identity import boot_id, is_alive
from runtime.container.status import status_of
from runtime.errors import KernelFault, StateConflict, step
from runtime.spec.record import Record
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Json

OCI_VERSION = "1.3.0"


class State(Record):
    id: str
    pid: int
    start_time: int
    boot_id: str
    bundle: str
    rootfs: str
    created: str
    owner: int = 0
    annotations: dict[str, str] = {}  # noqa: RUF012 - records are frozen
    cgroup: Json = {}  # noqa: RUF012 - records are frozen
    rdt: Json = {}  # noqa: RUF012 - records are frozen
    own_pid_namespace: bool = True
    has_process: bool = True
    shared_root: int = 0  # the mount that the root is, where it lies in the caller's namespace
    creator: int = 0  # the process that makes the container, which is being created while it lives
    creator_start: int = 0
    complete: bool = False  # `create` came to its end: before that only `delete --force` is for it

    @property
    def alive(self) -> bool:
        return self.boot_id == boot_id() and is_alive(self.pid, self.start_time)

    @property
    def creator_alive(self) -> bool:
        return self.boot_id == boot_id() and is_alive(self.creator, self.creator_start)


def write_state(root: str, state: State) -> None:
    folder = directory.path_of(root, state.id)
    path = f"{folder}/{directory.STATE_FILE}"
    text = json.dumps(dict.fromkeys(State.__annotations__) | _values(state))
    with step(f"write {path}"):
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
        os.rename(f"{path}.new", path)


def read_state(root: str, identity: str) -> State:
    path = f"{directory.path_of(root, identity)}/{directory.STATE_FILE}"
    try:
        with open(path, "rb") as file:
            document: Json = json.loads(file.read())
        return State(**document)
    except FileNotFoundError as error:
        raise StateConflict(f"container does not exist: {identity}") from error
    except OSError as error:
        raise KernelFault(f"read {path}", error.errno or 0, error.strerror or "") from error
    except (ValueError, TypeError) as error:
        raise StateConflict(f"container {identity}: its state file is not readable") from error


def awaiting_start(root: str, identity: str) -> bool:
    return os.path.exists(f"{directory.path_of(root, identity)}/{directory.START_SOCKET}")


def current_status(root: str, state: State, *, frozen: bool) -> str:
    return status_of(
        alive=state.alive or (not state.complete and state.creator_alive),
        complete=state.complete,
        awaiting_start=awaiting_start(root, state.id),
        frozen=frozen,
    )


def oci_state(state: State, status: str) -> Json:
    """The specification's state document, as hooks get it on their stdin."""
    alive = status != "stopped"
    return {
        "ociVersion": OCI_VERSION,
        "id": state.id,
        "status": status,
        **({"pid": state.pid} if alive and state.pid else {}),
        "bundle": state.bundle,
        "annotations": state.annotations,
    }


def listed_state(state: State, status: str) -> Json:
    """What `state` and `list` print: runc's fields, in runc's order."""
    return {
        "ociVersion": OCI_VERSION,
        "id": state.id,
        "pid": state.pid if status != "stopped" else 0,
        "status": status,
        "bundle": state.bundle,
        "rootfs": state.rootfs,
        "created": state.created,
        "annotations": state.annotations,
        "owner": "root" if state.owner == 0 else str(state.owner),
    }


def _values(state: State) -> Json:
    return {name: getattr(state, name) for name in State.__annotations__}
