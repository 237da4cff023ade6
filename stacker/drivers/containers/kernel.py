"""What the kernel knows of a process: when it started, whether it lives, its pidfd, its children.

A pid alone is nobody: with the start time and the boot id it is one process for ever.
"""

from __future__ import annotations

import os
import select
import signal


def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            # the name in the second field may hold blanks and brackets
            return int(file.read(4096).rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


def open_process(pid: int, started: int) -> int | None:
    """Return a pidfd of exactly this process; None when it is gone."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if start_time(pid) == started:
        return pidfd
    os.close(pidfd)
    return None


def has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def send_signal(pidfd: int, signum: int) -> bool:
    """False when the process has ended."""
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return False
    return True


def descendants(pid: int) -> list[int]:
    """Return the pids below a process, deepest last."""
    found, look = list[int](), [pid]
    while look and len(found) < 4096:
        parent = look.pop()
        try:
            with open(f"/proc/{parent}/task/{parent}/children", "rb") as file:
                children = [int(word) for word in file.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += children
        look += children
    return found
