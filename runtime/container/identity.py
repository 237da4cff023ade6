"""A process, told from a later one with the same number: pid and start time, held by a pidfd.

The start time is field 22 of /proc/<pid>/stat, in clock ticks since the boot (proc(5)).
"""

from __future__ import annotations

import os

from runtime.errors import StateConflict
from runtime.linux.signals import signal


def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().decode("ascii").strip()


def start_time(pid: int) -> int:
    """0 when there is no such process, or only its corpse."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # the name (field 2) is in parentheses and may hold anything, parentheses included
    fields = line[line.rindex(b")") + 2 :].split()
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


def is_alive(pid: int, started: int) -> bool:
    return pid > 0 and started != 0 and start_time(pid) == started


def open_process(pid: int, started: int) -> int:
    """A pidfd of exactly that process; the start time is checked after the pidfd holds it."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError as error:
        raise StateConflict(f"process {pid}: gone") from error
    if not is_alive(pid, started):
        os.close(fd)
        raise StateConflict(f"process {pid}: gone")
    return fd


def send(pid: int, started: int, number: int) -> None:
    fd = open_process(pid, started)
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError as error:
        raise StateConflict(f"process {pid}: gone") from error
    finally:
        os.close(fd)
