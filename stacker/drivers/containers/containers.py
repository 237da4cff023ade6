"""``Containers``: what the engine asks for, over one monitor that is always there.

Rule 1: a process runs until the monitor has said how it ended; its journal and its pushes are the
only source, so that no exit is ever seen without its code.
Rule 2: when the monitor dies another is started, and given every process that was running: their
pidfds and terminals are held here as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from runtime.wire.messages import Attach, Call, Done, Refused, Result
from stacker.base.errors import Conflict, Failed, NotFound
from stacker.base.facts import HostFacts
from stacker.drivers.containers import cgroups, kernel
from stacker.drivers.containers.attach import Attachment
from stacker.drivers.containers.executing import Executor, Session
from stacker.drivers.containers.fd_store import FdStore
from stacker.drivers.containers.journal import UNKNOWN
from stacker.drivers.containers.launching import Launcher
from stacker.drivers.containers.log_reader import read_log
from stacker.drivers.containers.monitor import Monitor
from stacker.drivers.containers.paths import Paths
from stacker.drivers.containers.runtimes import ENVIRONMENT
from stacker.drivers.containers.table import Entry, Table
from stacker.plan.container_specs import (
    ExecRequest,
    ExecResult,
    Launch,
    Process,
    ProcessExit,
    Started,
    StatsSample,
)

_SIGKILL = 9


class Containers:
    """Use as an async context manager: inside it a monitor runs and is listened to."""

    def __init__(
        self,
        *,
        root: Path,
        run: Path,
        tag: str,
        default_runtime: str | None = None,
        facts: HostFacts | None = None,
    ) -> None:
        self._paths = Paths(root=root, run=run)
        self._table = Table(self._paths)
        self._monitor = Monitor(self._paths, tag, self._table)
        self._launcher = Launcher(self._paths, self._table, self._monitor, default_runtime)
        self._executor = Executor(self._table, self._monitor, self._launcher, facts)
        self._tasks: TaskGroup | None = None
        self.fd_store = FdStore(self._monitor)

    async def __aenter__(self) -> Self:
        self._paths.prepare()
        self._table.load()
        self._tasks = await anyio.create_task_group().__aenter__()
        try:
            await self._tasks.start(self._monitor.keep)
        except BaseException:
            self._tasks.cancel_scope.cancel()
            await self._tasks.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks, self._tasks = self._tasks, None
        assert tasks is not None
        tasks.cancel_scope.cancel()
        try:
            # without the caller's own error, which so is not wrapped in a group
            await tasks.__aexit__(None, None, None)
        finally:
            self._table.close()

    async def start(self, launch: Launch) -> Started:
        """Start a container's process; what an earlier process of it left is removed first."""
        return await self._launcher.start(launch)

    async def observe(self) -> dict[str, Process]:
        """Return the last process of each container that has a bundle."""
        return {entry.container_id: describe(entry) for entry in self._table.entries()}

    async def signal(self, container_id: str, signum: int, *, all: bool = False) -> None:
        """Signal the first process, or all; one that has ended meanwhile is no error."""
        entry = self._entry(container_id)
        if all and entry.running and cgroups.signal_all(entry.cgroups, signum):
            return
        if entry.pidfd is not None:
            kernel.send_signal(entry.pidfd, signum)

    async def wait(self, container_id: str) -> Process:
        """Wait until the process has ended and return how."""
        entry = self._entry(container_id)
        await entry.ended.wait()
        return describe(entry)

    async def delete(self, container_id: str) -> None:
        """Kill what runs and remove everything but the logs; idempotent."""
        await self._launcher.clear(container_id)
        await self._launcher.forget(container_id)

    def exits(self) -> AsyncIterator[ProcessExit]:
        """Yield the end of each process from now on."""
        return self._exits()

    async def pause(self, container_id: str) -> None:
        await self._call_runtime(container_id, "pause")

    async def resume(self, container_id: str) -> None:
        await self._call_runtime(container_id, "resume")

    async def exec(self, container_id: str, request: ExecRequest) -> Session:
        """Start a process inside; the session must be closed."""
        return await self._executor.open(self._running(container_id), request)

    async def run(
        self, container_id: str, args: Sequence[str], *, timeout_s: float, user: str | None = None
    ) -> ExecResult:
        """Run a command inside to its end, or until it is killed at its timeout."""
        request = ExecRequest(args=tuple(args), user=user)
        return await self._executor.run(self._running(container_id), request, timeout_s=timeout_s)

    async def attach(self, container_id: str) -> Attachment:
        """Return the input of a container that was started with one."""
        entry = self._running(container_id)
        reply = await self._monitor.request(Attach(container_id))
        if not isinstance(reply.message, Done):
            reply.close()
            raise Conflict(f"container {container_id}: attach: its input is not open")
        fd = reply.take_fd()
        assert fd is not None
        return Attachment(fd, terminal=entry.master is not None)

    async def stats(self, container_id: str) -> StatsSample:
        entry = self._running(container_id)
        return cgroups.sample(container_id, entry.cgroups)

    def logs(
        self, container_id: str, *, tail: int | None, since: float | None, follow: bool
    ) -> AsyncIterator[bytes]:
        """Yield whole frames (``runtime.wire.frames``); ``tail`` counts lines."""
        return read_log(self._paths.logs(container_id), tail=tail, since=since, follow=follow)

    async def shutdown(self) -> bool:
        """End the monitor; False when containers still run."""
        return await self._monitor.shutdown()

    @property
    def monitor_pid(self) -> int | None:
        """Of the monitor that is connected now."""
        return self._monitor.pid

    async def _exits(self) -> AsyncIterator[ProcessExit]:
        async with self._table.listen() as ended:
            async for entry in ended:
                yield ProcessExit(container_id=entry.container_id, process=describe(entry))

    async def _call_runtime(self, container_id: str, verb: str) -> None:
        self._running(container_id)
        runtime = self._launcher.runtime_of(container_id)
        command = runtime.pause(container_id) if verb == "pause" else runtime.resume(container_id)
        reply = await self._monitor.request(Call(command, ENVIRONMENT))
        match reply.message:
            case Result(code=0):
                return
            case Result() | Refused():
                raise Failed(f"container {container_id}: {verb}: {runtime.last_error()}")
            case _:
                raise Failed(f"container {container_id}: {verb}: the monitor answers wrongly")

    def _entry(self, container_id: str) -> Entry:
        entry = self._table.get(container_id)
        if entry is None:
            raise NotFound(f"container {container_id} has never been started")
        return entry

    def _running(self, container_id: str) -> Entry:
        entry = self._entry(container_id)
        if not entry.running:
            raise Conflict(f"container {container_id} does not run")
        return entry


def describe(entry: Entry) -> Process:
    """Say what is known of a process; what no witness knows is None."""
    exited = entry.exited
    if exited is None:
        # of another boot, or of a bundle whose journal was lost: it cannot run, nobody saw it end
        return Process(pid=entry.pid, start_time=entry.start_time, running=entry.running)
    known = exited.code != UNKNOWN
    return Process(
        pid=entry.pid,
        start_time=entry.start_time,
        running=False,
        code=exited.code if known else None,
        signal=exited.signal or None,
        at=exited.time_ns / 1e9,
        oom=exited.signal == _SIGKILL and entry.oom,
    )
