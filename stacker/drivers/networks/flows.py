"""Forgetting UDP flows that conntrack would keep sending to where a port no longer leads.

A rule decides about the first packet of a flow only. A client that never stops sending keeps its
flow alive, so after a container was replaced, or when the client was there first, its packets
would go to nobody for ever. TCP needs none of this: a connection ends with its container.
Blocking (nf_conntrack over netlink; constants of linux/netfilter/nfnetlink_conntrack.h).
"""

from __future__ import annotations

import struct
from collections.abc import Set
from ipaddress import IPv4Address

from stacker.drivers.networks.netlink.attributes import attributes
from stacker.drivers.networks.netlink.conversation import NETFILTER, Conversation

_GET, _DELETE = 1 << 8 | 1, 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK with IPCTNL_MSG_CT_
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ORIGINAL, _REPLY = 1, 2  # CTA_TUPLE_
_IP, _PROTOCOL = 1, 2  # CTA_TUPLE_IP, CTA_TUPLE_PROTO
_SOURCE, _DESTINATION = 1, 2  # CTA_IP_V4_
_NUMBER, _TO_PORT = 1, 3  # CTA_PROTO_NUM, CTA_PROTO_DST_PORT
_NESTED = 0x8000
_UDP = 17
_IPV4 = 2


def forget(ports: Set[int], but_to: str | None) -> None:
    """Forget flows to these ports of the host that do not lead to this container (None: any)."""
    with Conversation(NETFILTER) as kernel:
        found = kernel.dump(_message(_GET, _DUMP, b""))
        stale = [
            original
            for message in found
            if (original := _stale(message.data, ports, but_to)) is not None
        ]
        for original in stale:
            # one that has ended by itself meanwhile is refused, and gone as well
            kernel.attempt([_message(_DELETE, _ACK, original)])


def _stale(data: memoryview, ports: Set[int], but_to: str | None) -> bytes | None:
    """The attribute that names a flow, when it is one to be forgotten."""
    attrs = attributes(data, 4)
    if _ORIGINAL not in attrs or _REPLY not in attrs:
        return None
    original, reply = attributes(attrs[_ORIGINAL], 0), attributes(attrs[_REPLY], 0)
    protocol = attributes(original[_PROTOCOL], 0)
    if protocol[_NUMBER][0] != _UDP or int.from_bytes(protocol[_TO_PORT], "big") not in ports:
        return None
    asked = attributes(original[_IP], 0).get(_DESTINATION)
    answers = attributes(reply[_IP], 0).get(_SOURCE)
    if asked is None or answers is None:
        return None
    if but_to is not None and bytes(answers) == IPv4Address(but_to).packed:
        return None
    body = bytes(attrs[_ORIGINAL])
    return struct.pack("=HH", 4 + len(body), _ORIGINAL | _NESTED) + body


def _message(kind: int, flags: int, body: bytes) -> bytes:
    header = struct.pack("=IHHII", 20 + len(body), kind, _REQUEST | flags, 0, 0)
    return header + struct.pack("=BBH", _IPV4, 0, 0) + body
