"""The monitor's socket: who is connected, packets in, packets and file descriptors out.

A client that does not read is disconnected once its queue is full: it observes again when it
comes back.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Callable

from runtime.monitor.loop import READABLE, WRITABLE, Loop
from runtime.wire.messages import LARGEST, MOST_FDS, Answer, Message, WireError, decode, encode

_MOST_QUEUED = 1024
_CREDENTIALS = struct.Struct("3i")

Serve = Callable[["Client", int, Message, list[int]], None]


class Client:
    def __init__(self, connection: socket.socket, loop: Loop, gone: Callable[[], None]) -> None:
        self.greeted = False
        self._connection = connection
        self._loop = loop
        self._gone = gone
        self._queue: deque[tuple[bytes, list[int]]] = deque()

    def fileno(self) -> int:
        return self._connection.fileno()

    def answer(self, number: int, message: Answer, fds: tuple[int, ...] = ()) -> None:
        """Send, or queue, a message; the fds stay the caller's."""
        if self._connection.fileno() < 0:
            return
        if len(self._queue) >= _MOST_QUEUED:
            self.close()
            return
        self._queue.append((encode(number, message), [os.dup(fd) for fd in fds]))
        self.flush()

    def flush(self) -> None:
        while self._queue:
            packet, fds = self._queue[0]
            try:
                socket.send_fds(self._connection, [packet], fds)
            except BlockingIOError:
                break
            except OSError:
                self.close()
                return
            _close(fds)
            self._queue.popleft()
        self._loop.watch(self.fileno(), self.ready, READABLE | (WRITABLE if self._queue else 0))

    def close(self) -> None:
        if self._connection.fileno() < 0:
            return
        self._loop.unwatch(self.fileno())
        self._connection.close()
        for _, fds in self._queue:
            _close(fds)
        self._queue.clear()
        self._gone()

    def receive(self) -> tuple[bytes, list[int]] | None:
        """Return one packet; None when there is none, or the client is gone."""
        try:
            packet, fds, flags, _ = socket.recv_fds(
                self._connection, LARGEST, MOST_FDS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return None
        except OSError:
            self.close()
            return None
        if not packet or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            _close(fds)
            self.close()
            return None
        return packet, fds

    def ready(self, events: int) -> None:
        """Replaced by Clients, which knows what to do with a packet."""
        raise RuntimeError("client is not served")


class Clients:
    def __init__(self, listener: socket.socket, loop: Loop, serve: Serve) -> None:
        self._listener = listener
        self._loop = loop
        self._serve = serve
        self._all: list[Client] = []
        self.on_gone: Callable[[], None] = lambda: None
        loop.watch(listener.fileno(), self._accept)

    def listen_on(self, listener: socket.socket) -> None:
        """Accept from another socket in place of the one before."""
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        self._listener = listener
        self._loop.watch(listener.fileno(), self._accept)

    def __len__(self) -> int:
        return len(self._all)

    def tell(self, message: Answer) -> None:
        """Send to everyone who is connected."""
        for client in list(self._all):
            if client.greeted:
                client.answer(0, message)

    def _accept(self, _events: int) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(peer)[1] not in (0, os.geteuid()):
            connection.close()
            return
        connection.setblocking(False)
        client = Client(connection, self._loop, lambda: self._forget(client))
        client.ready = lambda events: self._ready(client, events)
        self._all.append(client)
        self._loop.watch(client.fileno(), client.ready)

    def _forget(self, client: Client) -> None:
        self._all.remove(client)
        self.on_gone()

    def _ready(self, client: Client, events: int) -> None:
        if events & WRITABLE:
            client.flush()
        received = client.receive() if client.fileno() >= 0 and events & ~WRITABLE else None
        if received is None:
            return
        packet, fds = received
        try:
            number, message = decode(packet)
            self._serve(client, number, message, fds)
        except WireError:
            client.close()
        finally:
            _close(fds)


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
