"""The processes that the monitor answers for: containers, and commands inside them.

Born by a runtime that ends once they run: they become children of the monitor, its subreaper.
Adopted ones are nobody's children here; what their pidfd says is all that is known.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from runtime.linux.process import pidfd_exit_status
from runtime.monitor.journal import Journal
from runtime.monitor.loop import Loop
from runtime.monitor.pipes import Outputs
from runtime.wire.messages import Exited

UNKNOWN = -1

_ASK_AGAIN_S = 0.02
_ASK_TIMES = 100
"""The status of a process that is not our child is there once its parent has reaped it."""


class Early(NamedTuple):
    """A child that ended before its runtime did: which one it was is not known yet."""

    start_time: int
    pidfd: int
    code: int
    signal: int


class Process:
    __slots__ = ("ended", "journal", "key", "outputs", "pid", "pidfd", "start_time")

    def __init__(
        self, key: str, pid: int, start_time: int, *, outputs: Outputs | None, journal: bool
    ) -> None:
        self.key = key
        self.pid = pid
        self.start_time = start_time
        self.pidfd = -1
        self.outputs = outputs
        self.journal = journal
        self.ended = False


class Processes:
    """All of them, by key."""

    def __init__(
        self, loop: Loop, journal: Journal, boot_id: str, tell: Callable[[Exited], None]
    ) -> None:
        self._loop = loop
        self._journal = journal
        self._boot_id = boot_id
        self._tell = tell
        self._by_key: dict[str, Process] = {}
        self._by_pid: dict[int, Process] = {}

    def get(self, key: str) -> Process | None:
        return self._by_key.get(key)

    def has_pid(self, pid: int) -> bool:
        return pid in self._by_pid

    def keys(self) -> list[str]:
        return [key for key, process in self._by_key.items() if not process.ended]

    def forget(self, key: str) -> bool:
        """Drop an ended process; False when it still runs."""
        process = self._by_key.get(key)
        if process is not None and not process.ended:
            return False
        self._by_key.pop(key, None)
        self._journal.compact(set(self._by_key))
        return True

    def born(self, process: Process) -> None:
        """Answer for a process that is our child."""
        self._by_key[process.key] = process
        self._by_pid[process.pid] = process
        self._note_start(process)

    def adopt(self, process: Process) -> None:
        """Answer for a process that is not our child, by its pidfd; -1: it is long gone."""
        self._by_key[process.key] = process
        if process.pidfd < 0:
            self.end(process, UNKNOWN, 0)
            return

        def ready(_events: int) -> None:
            self._loop.unwatch(process.pidfd)
            self._ask(process, _ASK_TIMES)

        self._loop.watch(process.pidfd, ready)

    def reaped(self, pid: int, code: int, signal: int) -> bool:
        """Note the end of a child; False when it is none of ours."""
        process = self._by_pid.pop(pid, None)
        if process is None:
            return False
        self.end(process, code, signal)
        return True

    def end(self, process: Process, code: int, signal: int) -> None:
        """Close the logs first: who hears of the end finds all output there."""
        process.ended = True
        if process.outputs is not None:
            process.outputs.close()
            process.outputs = None
        if process.pidfd >= 0:
            os.close(process.pidfd)
            process.pidfd = -1

        now = time.time_ns()
        if process.journal:
            self._journal.seq += 1
            self._journal.add(
                {
                    "is": "exited",
                    "key": process.key,
                    "pid": process.pid,
                    "start_time": process.start_time,
                    "boot_id": self._boot_id,
                    "code": code,
                    "signal": signal,
                    "time_ns": now,
                    "seq": self._journal.seq,
                }
            )
        else:
            self._by_key.pop(process.key, None)
        exited = Exited(
            process.key,
            process.pid,
            process.start_time,
            code,
            signal,
            now,
            self._journal.seq if process.journal else 0,
        )
        self._tell(exited)

    def _note_start(self, process: Process) -> None:
        if process.journal:
            self._journal.add(
                {
                    "is": "started",
                    "key": process.key,
                    "pid": process.pid,
                    "start_time": process.start_time,
                    "boot_id": self._boot_id,
                    "time_ns": time.time_ns(),
                }
            )

    def _ask(self, process: Process, times: int) -> None:
        try:
            status = pidfd_exit_status(process.pidfd)
        except OSError:
            status = None  # before Linux 6.13 the question does not exist
        if status is None:
            status = zombie_status(process.pid, process.start_time)
        if status is None and times > 0:
            self._loop.after(_ASK_AGAIN_S, lambda: self._ask(process, times - 1))
        elif status is None:
            self.end(process, UNKNOWN, 0)
        elif os.WIFSIGNALED(status):
            self.end(process, 128 + os.WTERMSIG(status), os.WTERMSIG(status))
        else:
            self.end(process, os.WEXITSTATUS(status), 0)


def start_time_of(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, clock ticks since boot; None when there is no such process."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def zombie_status(pid: int, start_time: int) -> int | None:
    """The wait status in /proc/PID/stat of a process that its parent has not reaped."""
    fields = _stat(pid)
    if not fields or fields[0] != b"Z" or int(fields[19]) != start_time:
        return None
    return int(fields[49])


def _stat(pid: int) -> list[bytes] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            # the name in the second field may hold blanks and brackets
            return file.read(4096).rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
