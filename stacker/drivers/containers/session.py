"""One process that was started in a running container, and its streams."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Sequence

import anyio

from runtime.wire.frames import STDERR, STDOUT
from stacker.drivers.containers import kernel
from stacker.drivers.containers.attach import set_size, write_all
from stacker.drivers.containers.table import Table

_CHUNK = 64 * 1024


class Session:
    """Owns its fds; must be closed. Closing it kills a process that has not ended."""

    def __init__(
        self,
        table: Table,
        key: str,
        pid: int,
        *,
        pidfd: int | None,
        terminal: int | None,
        pipes: Sequence[int | None],
    ) -> None:
        self._table = table
        self._key = key
        self._pid = pid
        self._pidfd = pidfd
        self._terminal = terminal
        self._feed = pipes[0]
        self._sources: dict[int, int] = {}
        for stream, fd in ((STDOUT, pipes[1]), (STDERR, pipes[2])):
            if fd is not None:
                self._sources[fd] = stream
        if terminal is not None:
            os.set_blocking(terminal, False)
            self._sources[terminal] = STDOUT
        self._hung_up = anyio.Event()

    async def read(self) -> tuple[int, bytes]:
        """Return (1 stdout | 2 stderr, bytes); (0, b"") when both have ended."""
        while self._sources:
            for fd in _readable(self._sources):
                content = _read(fd)
                if content:
                    return self._sources[fd], content
                if content is not None:
                    self._drop(fd)
            if not self._sources or (self._hung_up.is_set() and not _readable(self._sources)):
                break
            await self._wait_readable()
        return 0, b""

    async def write(self, content: bytes) -> None:
        target = self._terminal if self._terminal is not None else self._feed
        if target is not None:
            await write_all(target, content)

    async def close_stdin(self) -> None:
        if self._terminal is not None:
            await write_all(self._terminal, b"\x04")  # end of file, as typed
        self._close_feed()

    async def resize(self, rows: int, columns: int) -> None:
        if self._terminal is not None:
            set_size(self._terminal, rows, columns)

    async def signal(self, signum: int) -> None:
        if self._pidfd is not None:
            kernel.send_signal(self._pidfd, signum)

    async def wait(self) -> int:
        """Return the exit code, 128 + signal when it was killed."""
        exited = await self._table.end_of(self._key)
        self._hung_up.set()
        # the monitor went before the process: nobody knows; never 0
        return exited.code if exited.code >= 0 else 255

    def kill(self) -> None:
        """Kill the process and what it has started."""
        if self._pidfd is None or kernel.has_ended(self._pidfd):
            return
        below = [(pid, kernel.start_time(pid)) for pid in kernel.descendants(self._pid)]
        kernel.send_signal(self._pidfd, signal.SIGKILL)
        for pid, started in below:
            pidfd = kernel.open_process(pid, started) if started is not None else None
            if pidfd is not None:
                kernel.send_signal(pidfd, signal.SIGKILL)
                os.close(pidfd)

    def hang_up(self) -> None:
        """Let ``read`` end once nothing more is there, though somebody holds the streams."""
        self._hung_up.set()

    async def aclose(self) -> None:
        self.kill()
        self._close_feed()
        for fd in list(self._sources):
            self._drop(fd)
        if self._terminal is not None:
            self._drop(self._terminal)
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self._table.unexpect(self._key)

    async def _wait_readable(self) -> None:
        async with anyio.create_task_group() as tasks:

            async def one(fd: int) -> None:
                with contextlib.suppress(anyio.ClosedResourceError):
                    await anyio.wait_readable(fd)
                tasks.cancel_scope.cancel()

            async def hung_up() -> None:
                await self._hung_up.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(hung_up)
            for fd in self._sources:
                tasks.start_soon(one, fd)

    def _close_feed(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            anyio.notify_closing(feed)
            os.close(feed)

    def _drop(self, fd: int) -> None:
        self._sources.pop(fd, None)
        if fd == self._terminal:
            self._terminal = None
        anyio.notify_closing(fd)
        os.close(fd)


def _readable(fds: dict[int, int]) -> list[int]:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(0)]


def _read(fd: int) -> bytes | None:
    """Return bytes, b"" at the end, None when nothing is there now."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # EIO: the last process has closed its terminal (tty_ioctl(4))
