"""The name server of each network, on its gateway's address, over UDP and TCP.

Every queue and every client is bounded, so that one container can neither stop the others'
answers nor make the supervisor grow: datagrams are read in turns, a source has a share of the
queries that wait for the outside and of the connections, an idle connection is closed. The
sockets outlive the supervisor: what is asked while it restarts waits in them.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import anyio
from anyio.abc import SocketStream, TaskGroup

from stacker.drivers.networks.dns import Drop, Forward, Reply, decide
from stacker.drivers.networks.dns_forward import forward
from stacker.drivers.networks.dns_names import Names

log = logging.getLogger(__name__)

PORT = 53
IDLE_S = 4.0
IN_A_TURN = 64
"""Datagrams read from one network before the others have their turn."""
WAITING_OF_ONE = 64
WAITING_OF_ALL = 512
CONNECTIONS_OF_ONE = 16
CONNECTIONS_OF_ALL = 512
RECEIVE_BUFFER = 1 << 20
"""What waits while the supervisor is busy or restarts: thousands of queries."""
_BACKLOG = 64
_LARGEST_QUERY = 4096
_IP_FREEBIND = 15
_SO_RCVBUFFORCE = 33


def open_sockets(gateway: str) -> list[socket.socket]:
    """The two sockets of a network; its address need not be there yet (ip(7), IP_FREEBIND)."""
    opened: list[socket.socket] = []
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            one = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)
            opened.append(one)
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            # a container may publish port 53 (ports.reserve does the same)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if kind == socket.SOCK_STREAM:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
            one.bind((gateway, PORT))
            if kind == socket.SOCK_STREAM:
                one.listen(_BACKLOG)
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened


class DnsServer:
    """Serves any number of networks in one task group."""

    def __init__(
        self, tasks: TaskGroup, names: Callable[[], Names], host: Callable[[], tuple[str, ...]]
    ) -> None:
        self._tasks = tasks
        self._names = names
        self._host = host
        self._turn = 0
        self._waiting: Counter[str] = Counter()
        self._connected: Counter[str] = Counter()
        self._scopes: dict[str, anyio.CancelScope] = {}

    def serve(self, network: str, sockets: list[socket.socket]) -> None:
        """Take the sockets over and answer on them until ``stop``."""
        scope = self._scopes[network] = anyio.CancelScope()
        self._tasks.start_soon(self._run, network, sockets, scope)

    def serves(self, network: str) -> bool:
        return network in self._scopes

    def stop(self, network: str) -> None:
        scope = self._scopes.pop(network, None)
        if scope is not None:
            scope.cancel()

    async def _run(
        self, network: str, sockets: list[socket.socket], scope: anyio.CancelScope
    ) -> None:
        datagrams, listener = sockets
        try:
            with scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._answer_datagrams, datagrams, tasks)
                    tasks.start_soon(self._accept, listener, tasks)
        except* OSError as errors:
            log.warning("network %s: name server: %s", network, errors.exceptions[0])
        finally:
            for one in sockets:
                one.close()

    async def _answer_datagrams(self, one: socket.socket, tasks: TaskGroup) -> None:
        while True:
            await anyio.wait_readable(one)
            for _ in range(IN_A_TURN):
                try:
                    wire, client = one.recvfrom(_LARGEST_QUERY)
                except BlockingIOError:
                    break
                except ConnectionError:
                    continue  # a port unreachable for an answer of ours
                self._answer_datagram(one, wire, client, tasks)
            await anyio.lowlevel.checkpoint()

    def _answer_datagram(
        self, one: socket.socket, wire: bytes, client: tuple[str, int], tasks: TaskGroup
    ) -> None:
        decision = self._decide(wire, client[0], tcp=False)
        match decision:
            case Reply(answer):
                _send(one, answer, client)
            case Forward(upstreams):
                if self._admits(client[0]):
                    self._waiting[client[0]] += 1
                    tasks.start_soon(self._forward_datagram, one, wire, client, upstreams)
            case Drop():
                pass

    async def _forward_datagram(
        self, one: socket.socket, wire: bytes, client: tuple[str, int], upstreams: tuple[str, ...]
    ) -> None:
        try:
            answer = await forward(wire, upstreams or self._host(), tcp=False)
            if answer is not None:
                _send(one, answer, client)
        finally:
            _release(self._waiting, client[0])

    async def _accept(self, listener: socket.socket, tasks: TaskGroup) -> None:
        while True:
            await anyio.wait_readable(listener)
            try:
                connection, (source, _) = listener.accept()
            except (BlockingIOError, ConnectionError):
                continue
            crowded = self._connected.total() >= CONNECTIONS_OF_ALL
            known = source in self._names().askers
            if crowded or not known or self._connected[source] >= CONNECTIONS_OF_ONE:
                connection.close()
                continue
            self._connected[source] += 1
            tasks.start_soon(self._serve_connection, connection, source)

    async def _serve_connection(self, connection: socket.socket, source: str) -> None:
        try:
            async with await SocketStream.from_socket(connection) as stream:
                with suppress(TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError):
                    while await self._answer_one(stream, source):
                        pass
        finally:
            _release(self._connected, source)

    async def _answer_one(self, stream: SocketStream, source: str) -> bool:
        """Answer the next query on a connection; False when it is to be closed."""
        with anyio.fail_after(IDLE_S):
            length = int.from_bytes(await _exactly(stream, 2), "big")
            if length > _LARGEST_QUERY:
                return False
            wire = await _exactly(stream, length)
        match self._decide(wire, source, tcp=True):
            case Reply(answer):
                pass
            case Forward(upstreams):
                answer = await forward(wire, upstreams or self._host(), tcp=True)
            case Drop():
                answer = None
        if answer is None:
            return False
        with anyio.fail_after(IDLE_S):
            await stream.send(len(answer).to_bytes(2, "big") + answer)
        return True

    def _decide(self, wire: bytes, source: str, *, tcp: bool) -> Reply | Forward | Drop:
        self._turn += 1
        return decide(wire, source, self._names(), turn=self._turn, tcp=tcp)

    def _admits(self, source: str) -> bool:
        """Whether one more query of a source may wait for the outside."""
        return self._waiting[source] < WAITING_OF_ONE and self._waiting.total() < WAITING_OF_ALL


def _release(counter: Counter[str], source: str) -> None:
    counter[source] -= 1
    if counter[source] <= 0:
        del counter[source]


def _send(one: socket.socket, answer: bytes, client: tuple[str, int]) -> None:
    # a full buffer or a client that is gone: it asks again
    with suppress(OSError):
        one.sendto(answer, client)


async def _exactly(stream: SocketStream, count: int) -> bytes:
    received = b""
    while len(received) < count:
        received += await stream.receive(count - len(received))
    return received
