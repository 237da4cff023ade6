"""Stop all processes of a cgroup at once, and let them go on.

Version 2's freezer (cgroup.freeze, Linux 5.2) comes first where the container has a directory
there: a frozen process can still be killed, in version 1 it has to be thawed for that.
"""

from __future__ import annotations

import os
import select
import time

from runtime.cgroups.apply import read_file, write_file
from runtime.errors import KernelFault, NotSupported

_DEADLINE_S = 10.0
_FIRST_WAIT_S = 0.0005
_LONGEST_WAIT_S = 0.05


def set_frozen(legacy: str | None, unified: str | None, *, frozen: bool) -> None:
    """Return when every process is in the wanted state; raise when that takes too long."""
    if unified is not None and os.path.exists(f"{unified}/cgroup.freeze"):
        _set_unified(unified, frozen=frozen)
    elif legacy is not None:
        _set_legacy(legacy, frozen=frozen)
    else:
        raise NotSupported("freeze the container: this host has no freezer cgroup controller")


def is_frozen(legacy: str | None, unified: str | None) -> bool:
    """Whether a freeze was asked for, complete or not: what `state` calls paused."""
    try:
        if unified is not None and read_file(f"{unified}/cgroup.freeze") == "1":
            return True
        return legacy is not None and read_file(f"{legacy}/freezer.state") != "THAWED"
    except FileNotFoundError:
        return False


def is_stored_frozen(stored: dict[str, object]) -> bool:
    """The same of what `Cgroup.to_json` gave, without all that a `Cgroup` can do."""
    legacy, unified = stored.get("legacy"), stored.get("unified")
    directory: object = legacy.get("freezer") if isinstance(legacy, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return is_frozen(
        directory if isinstance(directory, str) else None,
        unified if isinstance(unified, str) else None,
    )


def _set_unified(directory: str, *, frozen: bool) -> None:
    wanted = "frozen 1" if frozen else "frozen 0"
    with open(f"{directory}/cgroup.events", encoding="ascii") as events:
        poll = select.poll()
        # the kernel says POLLPRI when the file's content has changed (cgroup-v2.rst)
        poll.register(events, select.POLLPRI)
        write_file(f"{directory}/cgroup.freeze", "1" if frozen else "0")
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            events.seek(0)
            if wanted in events.read():
                return
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            poll.poll(min(left_s, _LONGEST_WAIT_S * 10) * 1000)
    _undo_and_raise(directory, "cgroup.freeze", "0", frozen=frozen)


def _set_legacy(directory: str, *, frozen: bool) -> None:
    wanted = "FROZEN" if frozen else "THAWED"
    file = f"{directory}/freezer.state"
    deadline = time.monotonic() + _DEADLINE_S
    wait_s = _FIRST_WAIT_S
    while time.monotonic() < deadline:
        # a task that forks while the freezer walks can be missed: writing again takes it in
        # (kernel: cgroup-v1/freezer-subsystem.rst)
        write_file(file, wanted)
        if read_file(file) == wanted:
            return
        time.sleep(wait_s)
        wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
    _undo_and_raise(directory, "freezer.state", "THAWED", frozen=frozen)


def _undo_and_raise(directory: str, file: str, undo: str, *, frozen: bool) -> None:
    if frozen:
        # half a container frozen is worse than none
        write_file(f"{directory}/{file}", undo)
    step = "freeze" if frozen else "thaw"
    raise KernelFault(
        f"{step} the cgroup {directory}", 0, f"not done after {_DEADLINE_S:.0f} seconds"
    )
