"""Keeps a monitor at hand: connects, starts one when there is none, gives it what it must hold."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import anyio
from anyio.abc import TaskStatus

from runtime.wire.messages import (
    Adopt,
    Done,
    Forget,
    List,
    Listing,
    Request,
    Shutdown,
    Spawn,
    Stdio,
    decode,
)
from stacker.base.errors import Failed, StackerError, Unavailable
from stacker.drivers.containers import kernel
from stacker.drivers.containers.monitor_client import MonitorClient, Reply, expect_done
from stacker.drivers.containers.monitor_start import ask_to_listen, start_monitor
from stacker.drivers.containers.paths import Paths
from stacker.drivers.containers.table import Entry, Table

log = logging.getLogger(__name__)

LAUNCH = "launch.json"

_CONNECT_WITHIN_S = 20.0
_ENDS_WITHIN_S = 5.0
_RETRY_S = 0.02
_AGAIN_AFTER_S = 1.0


class Monitor:
    def __init__(self, paths: Paths, tag: str, table: Table) -> None:
        self._paths = paths
        self._tag = tag
        self._table = table
        self._client: MonitorClient | None = None
        self._connected = anyio.Event()
        self._ending = False

    @property
    def pid(self) -> int | None:
        return self._client.monitor_pid if self._client is not None else None

    async def keep(self, *, task_status: TaskStatus[None]) -> None:
        """Stay connected until cancelled; tells of the first connection."""
        first: TaskStatus[None] | None = task_status
        while not self._ending:
            try:
                await self._connect_once(first)
                first = None
            except Unavailable:
                # the socket was still there of one that was about to be gone
                await anyio.sleep(_RETRY_S)
            except StackerError:
                if first is not None:
                    raise
                await anyio.sleep(_AGAIN_AFTER_S)
            except Exception:
                # whatever it is, the supervisor does not end with its connection
                if first is not None:
                    raise
                log.exception("the monitor's connection")
                await anyio.sleep(_AGAIN_AFTER_S)
            self._client, self._connected = None, anyio.Event()
            self._table.lose_others()

    async def request(self, message: Request, fds: Sequence[int] = ()) -> Reply:
        """Ask the monitor; waits while one is being started."""
        with anyio.move_on_after(_CONNECT_WITHIN_S):
            await self._connected.wait()
        if self._client is None:
            raise Unavailable("monitor: it does not run and could not be started")
        return await self._client.request(message, fds)

    async def forget(self, key: str) -> bool:
        """Drop what the monitor knows of an ended process; False while it runs."""
        return isinstance((await self.request(Forget(key))).message, Done)

    async def shutdown(self) -> bool:
        """End the monitor when nothing runs; afterwards none is started any more."""
        self._ending = True
        pidfd = os.pidfd_open(self.pid) if self.pid is not None else None
        try:
            expect_done(await self.request(Shutdown()), "monitor: shutdown")
            if pidfd is not None:
                with anyio.move_on_after(_ENDS_WITHIN_S):
                    await anyio.wait_readable(pidfd)
        except Failed:
            self._ending = False
            return False
        finally:
            close_all((pidfd,))
        return True

    async def _connect_once(self, task_status: TaskStatus[None] | None) -> None:
        client = await self._open()
        failure: StackerError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.run)
            try:
                await client.greet(may_end=True)
                await self._hand_over(client)
            except StackerError as error:
                failure = error
                tasks.cancel_scope.cancel()
            else:
                self._client = client
                self._connected.set()
                if task_status is not None:
                    task_status.started()
        if failure is not None:
            raise failure

    async def _open(self) -> MonitorClient:
        with anyio.move_on_after(_CONNECT_WITHIN_S):
            while True:
                client = MonitorClient.connect(self._paths.run, self._table.told)
                if client is not None:
                    return client
                if not await start_monitor(self._paths.run, self._tag):
                    # another has the lock: it is about to listen, or its last child to end, or
                    # somebody has removed its socket
                    ask_to_listen(self._paths.run)
                    await anyio.sleep(_RETRY_S)
        raise Failed("monitor: it has its lock and does not listen")

    async def _hand_over(self, client: MonitorClient) -> None:
        """Take the ends that were missed, and give the monitor what it does not hold yet."""
        listing = (await client.request(List())).message
        held = set(listing.names) if isinstance(listing, Listing) else set[str]()
        self._table.refresh()
        for entry in self._table.entries():
            if entry.running and entry.container_id not in held:
                await self._adopt(client, entry)

    async def _adopt(self, client: MonitorClient, entry: Entry) -> None:
        spawn = self._launched(entry.container_id)
        # without its bundle nobody can read what it writes; how it ends is told all the same
        stdio = spawn.stdio if spawn is not None else Stdio("null", "", "", 0, 0, False)
        if entry.pidfd is None:
            entry.pidfd = kernel.open_process(entry.pid, entry.start_time)
        fds = [fd for fd in (entry.pidfd, entry.master) if fd is not None]
        if entry.pidfd is None:
            fds = []
        message = Adopt(entry.container_id, entry.pid, entry.start_time, stdio)
        (await client.request(message, fds)).close()

    def _launched(self, container_id: str) -> Spawn | None:
        try:
            packet = (self._paths.bundles / container_id / LAUNCH).read_bytes()
            _, message = decode(packet)
        except (OSError, ValueError):
            return None
        return message if isinstance(message, Spawn) else None


def close_all(fds: Sequence[int | None]) -> None:
    for fd in fds:
        if fd is not None:
            os.close(fd)
