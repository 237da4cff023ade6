"""Requests about links, addresses and routes (rtnetlink(7)), and reading the answers.

Each function returns one request as bytes for ``Conversation.request``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from stacker.drivers.networks.netlink.attributes import attributes, number, text
from stacker.drivers.networks.netlink.conversation import Message
from stacker.drivers.networks.netlink.pyroute2_parts import (
    AddressMessage,
    LinkMessage,
    RouteMessage,
)

NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNETCONF = 80

_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_REPLACE, _EXCL, _CREATE = 0x100, 0x200, 0x400

UP = 0x1  # IFF_UP
_AF_INET = 2
_SKIP_STATS = 8  # RTEXT_FILTER_SKIP_STATS
_ADDRESS, _IFNAME, _MASTER, _LINK_STATS64 = 1, 3, 10, 23
_IFA_LOCAL = 2
_RTA_DST = 1


@dataclass(frozen=True, slots=True)
class Link:
    """What is read of a link."""

    index: int
    name: str
    up: bool
    master: int
    """Index of the bridge it is a port of; 0: none."""
    address: str
    alias: str


def _encode(message: Any, kind: int, flags: int) -> bytes:
    message["header"]["type"] = kind
    message["header"]["flags"] = _REQUEST | flags
    message.encode()
    return bytes(message.data)


def _link(attrs: list[tuple[str, object]], *, index: int = 0, up: bool | None = None) -> Any:
    message = LinkMessage()
    message["index"] = index
    if up is not None:
        message["flags"], message["change"] = int(up), UP
    message["attrs"] = attrs
    return message


def new_bridge(name: str, *, mac: str, mtu: int | None) -> bytes:
    """A bridge, still down. Without an address of its own it would take a port's, and change it
    with every container that comes or goes, while the others still send to the old one."""
    attrs: list[tuple[str, object]] = [
        ("IFLA_IFNAME", name),
        ("IFLA_ADDRESS", mac),
        ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "bridge")]}),
    ]
    if mtu is not None:
        attrs.append(("IFLA_MTU", mtu))
    return _encode(_link(attrs), NEWLINK, _ACK | _CREATE | _EXCL)


def new_veth(
    name: str, *, bridge: int, mtu: int | None, peer_namespace: int, peer_name: str, peer_mac: str
) -> bytes:
    """A pair made at once in both namespaces: this end is up and on the bridge."""
    size: list[tuple[str, object]] = [] if mtu is None else [("IFLA_MTU", mtu)]
    # the peer is made before the pair is one, and cannot be up then (veth_open: ENOTCONN)
    peer = {
        "attrs": [
            ("IFLA_IFNAME", peer_name),
            ("IFLA_ADDRESS", peer_mac),
            ("IFLA_NET_NS_FD", peer_namespace),
            *size,
        ],
    }
    info = {
        "attrs": [
            ("IFLA_INFO_KIND", "veth"),
            ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]}),
        ]
    }
    attrs = [("IFLA_IFNAME", name), ("IFLA_MASTER", bridge), ("IFLA_LINKINFO", info), *size]
    return _encode(_link(attrs, up=True), NEWLINK, _ACK | _CREATE | _EXCL)


def set_up(index: int) -> bytes:
    return _encode(_link([], index=index, up=True), NEWLINK, _ACK)


def set_alias(index: int, alias: str) -> bytes:
    return _encode(_link([("IFLA_IFALIAS", alias)], index=index), NEWLINK, _ACK)


def set_master(index: int, bridge: int) -> bytes:
    return _encode(_link([("IFLA_MASTER", bridge)], index=index, up=True), NEWLINK, _ACK)


def set_hairpin(name: str) -> bytes:
    """Let a bridge send back through the port that a frame came by.

    With br_netfilter on, a container's call to its own published port is such a frame.
    """
    port = {"attrs": [("IFLA_BRPORT_MODE", 1)]}
    info = {"attrs": [("IFLA_INFO_SLAVE_KIND", "bridge"), ("IFLA_INFO_SLAVE_DATA", port)]}
    return _encode(_link([("IFLA_IFNAME", name), ("IFLA_LINKINFO", info)]), NEWLINK, _ACK)


def delete_link(name: str) -> bytes:
    return _encode(_link([("IFLA_IFNAME", name)]), DELLINK, _ACK)


def delete_index(index: int) -> bytes:
    return _encode(_link([], index=index), DELLINK, _ACK)


def set_group(index: int, group: int) -> bytes:
    return _encode(_link([("IFLA_GROUP", group)], index=index), NEWLINK, _ACK)


def delete_group(group: int) -> bytes:
    """Delete all links of a group: the kernel waits once, not once for each."""
    return _encode(_link([("IFLA_GROUP", group)]), DELLINK, _ACK)


def get_link(name: str) -> bytes:
    return _encode(_link([("IFLA_IFNAME", name)]), GETLINK, 0)


def get_links() -> bytes:
    return _encode(_link([("IFLA_EXT_MASK", _SKIP_STATS)]), GETLINK, _DUMP)


def new_address(index: int, address: str, prefix_length: int) -> bytes:
    message = AddressMessage()
    message["family"], message["prefixlen"], message["index"] = _AF_INET, prefix_length, index
    network = IPv4Network((address, prefix_length), strict=False)
    message["attrs"] = [
        ("IFA_LOCAL", address),
        ("IFA_ADDRESS", address),
        ("IFA_BROADCAST", str(network.broadcast_address)),
    ]
    return _encode(message, NEWADDR, _ACK | _CREATE | _REPLACE)


def get_addresses() -> bytes:
    message = AddressMessage()
    message["family"] = _AF_INET
    return _encode(message, GETADDR, _DUMP)


def new_default_route(index: int, gateway: str) -> bytes:
    message = RouteMessage()
    message["family"], message["table"], message["type"] = _AF_INET, 254, 1  # main, unicast
    message["proto"], message["scope"] = 4, 0  # static, universe
    message["attrs"] = [("RTA_GATEWAY", gateway), ("RTA_OIF", index)]
    return _encode(message, NEWROUTE, _ACK | _CREATE | _REPLACE)


def get_routes() -> bytes:
    message = RouteMessage()
    message["family"] = _AF_INET
    return _encode(message, GETROUTE, _DUMP)


def read_link(message: Message) -> Link:
    """The link that a RTM_NEWLINK or RTM_DELLINK message is about."""
    _, _, _, index, flags = struct.unpack_from("=BBHiI", message.data)
    attrs = attributes(message.data, 16)
    return Link(
        index,
        text(attrs.get(_IFNAME)),
        bool(flags & UP),
        number(attrs.get(_MASTER)),
        bytes(attrs.get(_ADDRESS, b"")).hex(":"),
        text(attrs.get(_IFALIAS)),
    )


def read_bytes(message: Message) -> tuple[int, int]:
    """Received and sent bytes of a link, as this end of it counts them."""
    stats = attributes(message.data, 16).get(_LINK_STATS64)
    if stats is None:
        return (0, 0)
    # struct rtnl_link_stats64: rx_packets, tx_packets, rx_bytes, tx_bytes, ...
    received, sent = struct.unpack_from("=QQ", stats, 16)
    return received, sent


def read_address(message: Message) -> tuple[int, str, int]:
    """Link index, address and prefix length."""
    _, prefix_length, _, _, index = struct.unpack_from("=BBBBI", message.data)
    local = attributes(message.data, 8).get(_IFA_LOCAL)
    return index, str(IPv4Address(bytes(local))) if local else "", prefix_length


def read_route(message: Message) -> IPv4Network:
    """The destination of a route."""
    prefix_length = message.data[1]
    destination = attributes(message.data, 12).get(_RTA_DST)
    address = IPv4Address(bytes(destination)) if destination else IPv4Address(0)
    return IPv4Network((address, prefix_length), strict=False)


_IFALIAS = 20
