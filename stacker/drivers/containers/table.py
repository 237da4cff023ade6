"""The processes that are known, folded from the journal, the kernel and what the monitor tells."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from runtime.wire.messages import Exited
from stacker.base.errors import NotFound
from stacker.base.ids import is_id
from stacker.drivers.containers import cgroups, kernel
from stacker.drivers.containers.journal import LastProcess, read_journal
from stacker.drivers.containers.paths import Paths

_MOST_UNREAD = 4096
_CGROUPS = "cgroups.json"


class Entry:
    """The last process of one container."""

    __slots__ = (
        "cgroups",
        "container_id",
        "ended",
        "exited",
        "held",
        "master",
        "oom",
        "pid",
        "pidfd",
        "start_time",
        "this_boot",
    )

    def __init__(self, container_id: str, last: LastProcess, *, this_boot: bool) -> None:
        self.container_id = container_id
        self.pid = last.pid
        self.start_time = last.start_time
        self.this_boot = this_boot
        self.exited = last.exited
        self.ended = anyio.Event()
        self.pidfd: int | None = None
        self.master: int | None = None
        """Of its terminal, so that the next monitor can have it when this one dies."""
        self.held: list[int] = []
        """Its output pipes: what is in one that nobody holds is gone, should it end while no
        monitor runs. Nobody reads here."""
        self.cgroups: cgroups.Cgroups = {}
        self.oom = False
        if not self.running:
            self.ended.set()

    @property
    def running(self) -> bool:
        return self.this_boot and self.exited is None

    def close(self) -> None:
        for fd in (self.pidfd, self.master, *self.held):
            if fd is not None:
                os.close(fd)
        self.pidfd = self.master = None
        self.held.clear()

    def hold_outputs(self, bundle: Path) -> None:
        for name in ("stdout", "stderr"):
            # it is not there for a terminal, and when the process has ended already
            with contextlib.suppress(OSError):
                self.held.append(os.open(bundle / name, os.O_RDWR | os.O_NONBLOCK))


def _read_pid(path: Path) -> int | None:
    try:
        pid = int(path.read_bytes()[:16])
    except (OSError, ValueError):
        return None
    return pid if pid > 0 else None


class Table:
    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._entries: dict[str, Entry] = {}
        self._listeners: list[MemoryObjectSendStream[Entry]] = []
        self._starting: dict[str, Exited | None] = {}
        """Keys of starts under way; the end may be told before the start's answer is seen."""
        self._others: dict[str, anyio.Event] = {}
        self._other_exits: dict[str, Exited] = {}

    def load(self) -> None:
        """Read the journal; what it calls running is so until a monitor says otherwise."""
        boot_id = kernel.boot_id()
        for key, last in read_journal(self._paths.journal).items():
            entry = Entry(key, last, this_boot=last.boot_id == boot_id)
            directory = self._paths.bundles / key
            lives = entry.running and kernel.start_time(last.pid) == last.start_time
            # without its bundle it was removed, unless somebody else took the bundle away
            if not is_id(key) or not (lives or directory.is_dir()):
                continue
            entry.cgroups = self._load_cgroups(key)
            if entry.running:
                entry.pidfd = kernel.open_process(last.pid, last.start_time)
                entry.hold_outputs(directory)
                entry.cgroups = entry.cgroups or cgroups.of_process(last.pid)
            entry.oom = cgroups.oom_kills(entry.cgroups) > 0
            self._entries[key] = entry
        self._load_survivors(boot_id)

    def _load_survivors(self, boot_id: str) -> None:
        """Find what runs although the journal, which is damaged then, does not say so."""
        for directory in self._paths.bundles.iterdir():
            key, known = directory.name, self._entries.get(directory.name)
            if not is_id(key) or (known is not None and known.running):
                continue
            pid = _read_pid(directory / "pid")
            started = kernel.start_time(pid) if pid is not None else None
            if pid is None or started is None:
                continue
            # the pid may be somebody else's by now; who is in the container's cgroups is the one
            found = cgroups.of_process(pid)
            if not any(key in path.split("/") for path in found.values()):
                continue
            last = LastProcess(pid=pid, start_time=started, boot_id=boot_id)
            entry = Entry(key, last, this_boot=True)
            entry.pidfd = kernel.open_process(pid, started)
            entry.hold_outputs(directory)
            entry.cgroups = found
            self._entries[key] = entry

    def refresh(self) -> None:
        """After a connection: take the ends that were written while nobody listened."""
        for key, last in read_journal(self._paths.journal).items():
            entry = self._entries.get(key)
            if entry is not None and last.exited is not None:
                self.told(last.exited)

    def entries(self) -> list[Entry]:
        return list(self._entries.values())

    def get(self, container_id: str) -> Entry | None:
        return self._entries.get(container_id)

    @contextmanager
    def starting(self, container_id: str) -> Generator[None]:
        """Around the request that starts a process and ``started``."""
        self._starting[container_id] = None
        try:
            yield
        finally:
            del self._starting[container_id]

    def started(
        self, container_id: str, pid: int, start_time: int, fds: tuple[int | None, int | None]
    ) -> Entry:
        """Note a new process; takes over its pidfd and the master of its terminal."""
        last = LastProcess(pid=pid, start_time=start_time, boot_id="")
        entry = Entry(container_id, last, this_boot=True)
        entry.pidfd, entry.master = fds
        entry.cgroups = cgroups.of_process(pid)
        entry.hold_outputs(self._paths.bundle(container_id))
        self._save_cgroups(container_id, entry.cgroups)
        self.remove(container_id)
        self._entries[container_id] = entry
        early = self._starting.get(container_id)
        if early is not None:
            self.told(early)
        return entry

    def remove(self, container_id: str) -> None:
        entry = self._entries.pop(container_id, None)
        if entry is not None:
            entry.close()

    def close(self) -> None:
        for container_id in list(self._entries):
            self.remove(container_id)

    def told(self, exited: Exited) -> None:
        """Note the end of a process."""
        if exited.key in self._others:
            self._other_exits[exited.key] = exited
            self._others[exited.key].set()
            return
        entry = self._entries.get(exited.key)
        if entry is None or (entry.pid, entry.start_time) != (exited.pid, exited.start_time):
            if exited.key in self._starting:
                self._starting[exited.key] = exited
            return
        if not entry.running:
            return
        entry.exited = exited
        entry.oom = cgroups.oom_kills(entry.cgroups) > 0
        entry.close()
        entry.ended.set()
        for listener in self._listeners:
            try:
                listener.send_nowait(entry)
            except anyio.WouldBlock:
                continue  # whoever is that late observes again anyway

    def expect(self, key: str) -> None:
        """Keep the end of a process that is no container's first: ``end_of`` waits for it."""
        self._others[key] = anyio.Event()

    async def end_of(self, key: str) -> Exited:
        event = self._others.get(key)
        if event is None:
            raise NotFound(f"process {key} is not known")
        await event.wait()
        return self._other_exits[key]

    def lose_others(self) -> None:
        """The monitor has died: how the processes that it alone knew end, nobody will say."""
        for key, event in self._others.items():
            if not event.is_set():
                self._other_exits[key] = Exited(key, 0, 0, -1, 0, 0, 0)
                event.set()

    def unexpect(self, key: str) -> None:
        self._others.pop(key, None)
        self._other_exits.pop(key, None)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[MemoryObjectReceiveStream[Entry]]:
        send, receive = anyio.create_memory_object_stream[Entry](_MOST_UNREAD)
        self._listeners.append(send)
        try:
            with send, receive:
                yield receive
        finally:
            self._listeners.remove(send)

    def _save_cgroups(self, container_id: str, found: cgroups.Cgroups) -> None:
        # found again from the process itself where it is missing
        with contextlib.suppress(OSError):
            (self._paths.bundle(container_id) / _CGROUPS).write_text(json.dumps(found))

    def _load_cgroups(self, container_id: str) -> cgroups.Cgroups:
        try:
            found = json.loads((self._paths.bundles / container_id / _CGROUPS).read_bytes())
        except (OSError, ValueError):
            return {}
        return cast("cgroups.Cgroups", found) if isinstance(found, dict) else {}
