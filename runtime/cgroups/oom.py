"""When the kernel has run out of a container's memory: `watch_oom` tells it, `oom_kills` counts.

Version 2: inotify on memory.events, whose `oom_kill` counts (cgroup-v2.rst); cgroup.events says
when the last process is gone. Version 1: an eventfd registered for memory.oom_control, which is
signalled once more when the cgroup is removed (cgroup-v1/memory.rst, "OOM Control").
"""

from __future__ import annotations

import os

from runtime.cgroups.apply import read_file, write_file
from runtime.cgroups.formats import keyed
from runtime.errors import NotSupported, step
from runtime.linux import inotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.cgroup import Cgroup


class OomWatch:
    """Poll `fd`; when it is readable, ask `take`. Whoever made it closes it."""

    __slots__ = ("_directory", "_seen", "_version", "ended", "fd")

    def __init__(self, directory: str, *, version: int) -> None:
        self._directory = directory
        self._version = version
        self.ended = False
        """The cgroup is gone, or (version 2) its last process: nothing more will come."""
        with step(f"watch the memory of the cgroup {directory}"):
            self.fd = _event(directory) if version == 1 else _inotify(directory)
        self._seen = 0 if version == 1 else self._kills()

    def take(self) -> int:
        """How often memory ran out since the last call; the fd waits again."""
        if self._version == 1:
            return self._take_event()
        inotify.take_events(self.fd)
        try:
            kills = self._kills()
            self.ended = keyed(read_file(f"{self._directory}/cgroup.events"))["populated"] == 0
        except OSError:
            self.ended = True
            return 0
        fresh, self._seen = kills - self._seen, kills
        return fresh

    def close(self) -> None:
        os.close(self.fd)

    def _take_event(self) -> int:
        try:
            count = os.eventfd_read(self.fd)
        except BlockingIOError:
            return 0
        if os.path.isdir(self._directory):
            return count
        # the last one told of the removal
        self.ended = True
        return count - 1

    def _kills(self) -> int:
        return keyed(read_file(f"{self._directory}/memory.events")).get("oom_kill", 0)


def watch_oom(cgroup: Cgroup) -> OomWatch:
    """Watch from now on; NotSupported where this host has no memory controller."""
    directory = cgroup.legacy.get("memory")
    if directory is not None:
        return OomWatch(directory, version=1)
    if cgroup.unified is not None and os.path.exists(f"{cgroup.unified}/memory.events"):
        return OomWatch(cgroup.unified, version=2)
    raise NotSupported("watch for lack of memory: this host has no memory cgroup controller")


def oom_kills(cgroup: Cgroup) -> int:
    """How many processes have been killed for lack of memory; 0 where the host does not count."""
    directory, file = cgroup.legacy.get("memory"), "memory.oom_control"
    if directory is None:
        directory, file = cgroup.unified, "memory.events"
    try:
        return keyed(read_file(f"{directory}/{file}")).get("oom_kill", 0)
    except OSError:
        return 0


def _event(directory: str) -> int:
    fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            write_file(f"{directory}/cgroup.event_control", f"{fd} {control}")
        finally:
            os.close(control)
    except OSError:
        os.close(fd)
        raise
    return fd


def _inotify(directory: str) -> int:
    fd = inotify.watch_directory(f"{directory}/memory.events", inotify.IN_MODIFY)
    try:
        inotify.add_watch(fd, f"{directory}/cgroup.events", inotify.IN_MODIFY)
    except OSError:
        os.close(fd)
        raise
    return fd
