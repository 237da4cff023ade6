"""One connection to the monitor: requests and their answers, and what it says unasked."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from runtime.wire.messages import (
    LARGEST,
    MOST_FDS,
    VERSION,
    Answer,
    Exited,
    Hello,
    Message,
    Refused,
    Request,
    Welcome,
    WireError,
    decode,
    encode,
)
from stacker.base.errors import Failed, Unavailable, Unsupported

_SOCKET = "monitor.sock"


class Reply:
    """An answer and the file descriptors that came with it; whoever takes them closes them."""

    def __init__(self, message: Answer, fds: list[int]) -> None:
        self.message = message
        self._fds = fds

    def take_fd(self) -> int | None:
        """Return the next fd."""
        return self._fds.pop(0) if self._fds else None

    def close(self) -> None:
        """Close the fds that nobody took."""
        while self._fds:
            os.close(self._fds.pop())


class _Waiting:
    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.reply: Reply | None = None


class MonitorClient:
    """Connected from ``connect`` until ``run`` returns."""

    def __init__(self, connection: socket.socket, told: Callable[[Exited], None]) -> None:
        self._connection = connection
        self._told = told
        self._waiting: dict[int, _Waiting] = {}
        self._last_number = 0
        self._sending = anyio.Lock()
        self._closed = False
        self.monitor_pid = 0

    @classmethod
    def connect(cls, run: Path, told: Callable[[Exited], None]) -> MonitorClient | None:
        """Connect; None when no monitor listens there."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # through an fd of the directory: a socket's path has no room for more than 107 bytes
        try:
            directory = os.open(run, os.O_PATH | os.O_DIRECTORY)
            try:
                connection.connect(f"/proc/self/fd/{directory}/{_SOCKET}")
            finally:
                os.close(directory)
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            return None
        except OSError as error:
            connection.close()
            raise Failed(f"monitor: connect: {error.strerror}".lower()) from error
        connection.setblocking(False)
        return cls(connection, told)

    async def greet(self, *, may_end: bool) -> None:
        """Compare versions; must be the first request."""
        welcome = (await self.request(Hello(VERSION, may_end))).message
        if not isinstance(welcome, Welcome) or welcome.version != VERSION:
            raise Unsupported("monitor: it is of another version: stop all stacks to replace it")
        self.monitor_pid = welcome.pid

    async def request(self, message: Request, fds: Sequence[int] = ()) -> Reply:
        """Send and wait for the answer; a refusal of the monitor itself is raised."""
        self._last_number += 1
        number = self._last_number
        waiting = self._waiting[number] = _Waiting()
        try:
            packet = encode(number, message)
            await self._send(packet, fds)
            await waiting.answered.wait()
        except WireError as error:
            raise Failed(f"monitor: {error}") from error
        except OSError as error:
            raise Unavailable(f"monitor: {type(message).__name__.lower()}: {error}") from error
        except anyio.get_cancelled_exc_class():
            if waiting.reply is not None:
                waiting.reply.close()
            raise
        finally:
            self._waiting.pop(number, None)
        if waiting.reply is None:
            raise Unavailable(f"monitor: {type(message).__name__.lower()}: it has gone")
        return waiting.reply

    async def run(self) -> None:
        """Receive until the monitor is gone or we are cancelled."""
        try:
            while True:
                await anyio.wait_readable(self._connection)
                while (received := self._receive()) is not None:
                    self._dispatch(*received)
        except (OSError, WireError):
            pass
        finally:
            self._closed = True
            for waiting in self._waiting.values():
                waiting.answered.set()
            anyio.notify_closing(self._connection)
            self._connection.close()

    async def _send(self, packet: bytes, fds: Sequence[int]) -> None:
        async with self._sending:
            while True:
                if self._closed:
                    raise ConnectionResetError("connection is closed")
                try:
                    socket.send_fds(self._connection, [packet], list(fds))
                    return
                except BlockingIOError:
                    await anyio.wait_writable(self._connection)

    def _receive(self) -> tuple[bytes, list[int]] | None:
        try:
            packet, fds, _, _ = socket.recv_fds(
                self._connection, LARGEST, MOST_FDS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return None
        if not packet:
            raise ConnectionResetError("monitor is gone")
        return packet, fds

    def _dispatch(self, packet: bytes, fds: list[int]) -> None:
        number, message = decode(packet)
        reply = Reply(_as_answer(message), fds)
        if isinstance(message, Exited):
            self._told(message)
            return
        waiting = self._waiting.get(number)
        if waiting is None:
            reply.close()  # the asker was cancelled meanwhile
            return
        waiting.reply = reply
        waiting.answered.set()


def expect_done(reply: Reply, step: str) -> None:
    """Raise what the monitor refused."""
    if isinstance(reply.message, Refused):
        reply.close()
        raise Failed(f"{step}: {reply.message.message}")


def _as_answer(message: Message) -> Answer:
    if isinstance(message, Request):
        raise WireError("the monitor asks")
    return message
