"""Directories of cgroups: make one with what its ancestors must grant, list members, remove."""

from __future__ import annotations

import errno
import os
import time

from runtime.cgroups.apply import read_file, write_file
from runtime.errors import NotSupported

_REMOVAL_DEADLINE_S = 5.0
_FIRST_WAIT_S = 0.0005
_LONGEST_WAIT_S = 0.05


def make(directory: str, mountpoint: str) -> list[str]:
    """Make a directory and its parents; give all directories on the way, the topmost first."""
    levels: list[str] = []
    path = mountpoint
    for name in directory[len(mountpoint) :].strip("/").split("/"):
        path = f"{path}/{name}"
        levels.append(path)
    try:
        os.mkdir(directory, 0o755)
    except FileExistsError:
        pass
    except FileNotFoundError:
        for level in levels:
            try:
                os.mkdir(level, 0o755)
            except FileExistsError:
                continue
    return levels


def inherit_cpuset(levels: list[str]) -> None:
    """Version 1: a new cpuset is empty, and an empty one takes no member (cpuset(7))."""
    for level in levels:
        for file in ("cpuset.cpus", "cpuset.mems"):
            if not read_file(f"{level}/{file}"):
                parent = os.path.dirname(level)
                write_file(f"{level}/{file}", read_file(f"{parent}/{file}"))


def enable_controllers(mountpoint: str, levels: list[str]) -> None:
    """Version 2: every ancestor has to pass its controllers on (cgroup.subtree_control).

    One that cannot (it has members itself, or the controller is a threaded one's) is left as it
    is: a limit that needs it will say that its file is missing.
    """
    for parent in (mountpoint, *levels[:-1]):
        available = read_file(f"{parent}/cgroup.controllers").split()
        enabled = read_file(f"{parent}/cgroup.subtree_control").split()
        wanted = [f"+{name}" for name in available if name not in enabled]
        if not wanted:
            continue
        try:
            write_file(f"{parent}/cgroup.subtree_control", " ".join(wanted))
        except OSError:
            for name in wanted:
                try:
                    write_file(f"{parent}/cgroup.subtree_control", name)
                except OSError:
                    continue


def refuse_threaded(directory: str) -> None:
    """Version 2: below a threaded cgroup a new one takes no process (cgroup-v2.rst, "Threads")."""
    try:
        kind = read_file(f"{directory}/cgroup.type")
    except FileNotFoundError:
        return
    if kind == "domain invalid":
        raise NotSupported(
            f"linux.cgroupsPath: {directory} is below a threaded cgroup, which holds no containers"
        )


def members(directory: str) -> list[int]:
    """The processes of a directory and of all below it."""
    pids: list[int] = []
    for path in walk(directory):
        try:
            pids.extend(int(line) for line in read_file(f"{path}/cgroup.procs").split())
        except OSError:
            # gone in between; or threaded, then its domain, an ancestor, lists them
            continue
    return pids


def walk(directory: str) -> list[str]:
    """A directory and all below it, the deepest first; empty when it is not there."""
    try:
        with os.scandir(directory) as entries:
            children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    found: list[str] = []
    for child in children:
        found.extend(walk(child))
    found.append(directory)
    return found


def remove(directory: str) -> None:
    """Remove a directory and what the container made below it.

    A cgroup is busy for a moment after its last process was killed: tried again for a while.
    """
    deadline = time.monotonic() + _REMOVAL_DEADLINE_S
    wait_s = _FIRST_WAIT_S
    while True:
        refused = _remove_once(directory)
        if refused is None:
            return
        if time.monotonic() >= deadline:
            raise refused
        time.sleep(wait_s)
        wait_s = min(wait_s * 2, _LONGEST_WAIT_S)


def _remove_once(directory: str) -> OSError | None:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise
    else:
        return None
    refused: OSError | None = None
    for path in walk(directory):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            refused = error
    return refused
