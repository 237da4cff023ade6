"""Sending netlink requests and reading what the kernel answers.

The kernel works a request off inside ``sendmsg`` (netlink(7)): when the call returns, the
acknowledgements lie in the receive buffer. So a batch of requests is one system call, its answers
are read without waiting, and no event loop is needed in between. The socket belongs to the
network namespace of the thread that makes it.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stacker.drivers.networks.netlink.attributes import attributes

ROUTE = 0  # NETLINK_ROUTE
NETFILTER = 12  # NETLINK_NETFILTER

_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_CAP_ACK = 10
_EXT_ACK = 11
_GET_STRICT_CHK = 12
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33

_ERROR = 2  # NLMSG_ERROR
_DONE = 3  # NLMSG_DONE
_F_DUMP_INTR = 0x10
_F_ACK_TLVS = 0x200
_EXTACK_TEXT = 1  # NLMSGERR_ATTR_MSG
_HEADER = struct.Struct("=IHHII")

_CHUNK = 1 << 18
_SEND_BUFFER = 1 << 22
_TRIES = 5


class Refused(Exception):
    """Raised when the kernel refuses a request: which one of the batch, and why."""

    def __init__(self, number: int, index: int, detail: str) -> None:
        super().__init__(f"{os.strerror(number)}{f' ({detail})' if detail else ''}".lower())
        self.errno = number
        self.index = index


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the kernel sent it."""

    type: int
    flags: int
    sequence: int
    port: int
    """Who caused it: in a notification, the netlink port of the requester, or 0."""
    data: memoryview
    """What follows the netlink header."""


class Conversation:
    """One netlink socket, used by one thread at a time."""

    def __init__(
        self, protocol: int, *, groups: Sequence[int] = (), adopt: socket.socket | None = None
    ) -> None:
        self.socket = adopt or socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        self._sequence = 0
        if adopt is None:
            self.socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
            self.socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
            if protocol == ROUTE:
                self.socket.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _SEND_BUFFER)
            self.socket.bind((0, 0))
            for group in groups:
                self.socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[0]

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def request(self, requests: Sequence[bytes]) -> list[Message]:
        """Send a batch in one call; raise Refused for the first refusal, return the answers."""
        outcomes, answers = self._exchange(requests)
        for index, (number, detail) in sorted(outcomes.items()):
            if number:
                raise Refused(number, index, detail)
        return answers

    def attempt(self, requests: Sequence[bytes]) -> dict[int, int]:
        """Send a batch whose requests stand alone; return the errno of those refused."""
        outcomes, _ = self._exchange(requests)
        return {index: number for index, (number, _) in outcomes.items() if number}

    def dump(self, request: bytes) -> list[Message]:
        """Return a whole table; asked again when it changed while it was read."""
        for _ in range(_TRIES):
            messages = list(self._dump_once(request))
            if not any(message.flags & _F_DUMP_INTR for message in messages):
                return messages
        return messages  # pyright: ignore[reportPossiblyUnboundVariable]

    def receive(self) -> list[Message]:
        """Return what has arrived; empty when nothing has."""
        try:
            return list(_split(self.socket.recv(_CHUNK)))
        except BlockingIOError:
            return []

    def _exchange(
        self, requests: Sequence[bytes]
    ) -> tuple[dict[int, tuple[int, str]], list[Message]]:
        if not requests:
            return {}, []
        first = self._sequence + 1
        self._send(requests)
        outcomes: dict[int, tuple[int, str]] = {}
        answers: list[Message] = []
        while batch := self.receive():
            for message in batch:
                if message.sequence < first:
                    continue
                if message.type == _ERROR:
                    outcomes.setdefault(message.sequence - first, _outcome(message))
                elif message.type != _DONE:
                    answers.append(message)
        return outcomes, answers

    def _dump_once(self, request: bytes) -> Iterator[Message]:
        self._send([request])
        while batch := self.receive():
            for message in batch:
                if message.sequence != self._sequence:
                    continue
                if message.type == _DONE:
                    return
                if message.type == _ERROR:
                    number, detail = _outcome(message)
                    if number:
                        raise Refused(number, 0, detail)
                yield message

    def _send(self, requests: Sequence[bytes]) -> None:
        numbered = bytearray()
        for request in requests:
            self._sequence += 1
            start = len(numbered)
            numbered += request
            numbered += bytes(-len(request) % 4)
            struct.pack_into("=II", numbered, start + 8, self._sequence, 0)
        self.socket.sendto(numbered, (0, 0))


def _split(data: bytes) -> Iterator[Message]:
    view = memoryview(data)
    offset = 0
    while offset + _HEADER.size <= len(view):
        length, kind, flags, sequence, port = _HEADER.unpack_from(view, offset)
        if length < _HEADER.size:
            return
        yield Message(kind, flags, sequence, port, view[offset + _HEADER.size : offset + length])
        offset += length + (-length % 4)


def _outcome(message: Message) -> tuple[int, str]:
    """The errno of an acknowledgement (0: done) and the kernel's words about it."""
    number = -struct.unpack_from("=i", message.data)[0]
    detail = ""
    if message.flags & _F_ACK_TLVS:
        # NETLINK_CAP_ACK: of the request only its header is quoted
        text = attributes(message.data, 4 + _HEADER.size).get(_EXTACK_TEXT)
        detail = bytes(text).rstrip(b"\0").decode("utf-8", "replace") if text else ""
    return number, detail
