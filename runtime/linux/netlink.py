"""Requests to the kernel's networking over rtnetlink, packed by hand (rtnetlink(7), netlink(7)).

Every length is checked against its field before it is packed: an attribute whose length wrapped
around its 16 bits once let its value be read as attributes of its own (runc CVE-2021-43784).
"""

from __future__ import annotations

import _socket
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLM_F_CREATE_EXCLUSIVE = 0x600

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NETLINK_ROUTE = 0
_SOL_NETLINK = 270
_NETLINK_GET_STRICT_CHK = 12

# struct nlmsghdr: length, type, flags, sequence, port; struct nlattr: length, type
_MESSAGE = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_LONGEST_ATTRIBUTE = 0xFFFF
_LONGEST_MESSAGE = 65536
_KIND_MASK = 0x3FFF  # without "nested" and "network byte order"
_RECEIVED = 1 << 17


def attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    if length > _LONGEST_ATTRIBUTE:
        raise ValueError(f"a netlink attribute of {length} bytes does not fit its length field")
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """Type to value; what is cut short ends the list."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            break
        found[kind & _KIND_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4
    return found


class Netlink:
    """One conversation in the network namespace that the calling process is in."""

    __slots__ = ("_sequence", "_socket")

    def __init__(self) -> None:
        kind = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC
        self._socket = _socket.socket(_socket.AF_NETLINK, kind, _NETLINK_ROUTE)
        # so that a dump takes its header for a filter, not for decoration (Linux 4.20)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, payload: bytes, flags: int = 0) -> list[bytes]:
        """Send one request; the payloads of the answer. The kernel's refusal is an OSError."""
        self._sequence += 1
        length = _MESSAGE.size + len(payload)
        if length > _LONGEST_MESSAGE:
            raise ValueError(f"a netlink message of {length} bytes is too long")
        wanted = NLM_F_REQUEST | (flags if flags & NLM_F_DUMP == NLM_F_DUMP else flags | NLM_F_ACK)
        self._socket.send(_MESSAGE.pack(length, kind, wanted, self._sequence, 0) + payload)
        found: list[bytes] = []
        while True:
            packet = self._socket.recv(_RECEIVED)
            for answer, sequence, content in _messages(packet):
                if sequence != self._sequence:
                    continue
                if answer == _NLMSG_ERROR:
                    (code,) = _ERROR.unpack_from(content)
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    return found
                if answer == _NLMSG_DONE:
                    return found
                found.append(content)


def _messages(packet: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + _MESSAGE.size <= len(packet):
        length, kind, _, sequence, _ = _MESSAGE.unpack_from(packet, at)
        if length < _MESSAGE.size or at + length > len(packet):
            return
        yield kind, sequence, packet[at + _MESSAGE.size : at + length]
        at += length + -length % 4
