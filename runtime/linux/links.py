"""Network interfaces and their addresses: find, move to another namespace, set up (rtnetlink)."""

from __future__ import annotations

import _socket
import errno
import os
import struct

from runtime.linux.netlink import NLM_F_CREATE_EXCLUSIVE, NLM_F_DUMP, attribute, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.netlink import Netlink

LONGEST_NAME = 15  # IFNAMSIZ without its NUL

_RTM_NEWLINK = 16
_RTM_GETLINK = 18
_RTM_NEWADDR = 20
_RTM_GETADDR = 22

_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_NET_NS_FD = 28
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_BROADCAST = 4
_IFA_FLAGS = 8
_IFA_RT_PRIORITY = 9
_COPIED = (_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_RT_PRIORITY)

_IFF_UP = 1
_SCOPE_GLOBAL = 0  # RT_SCOPE_UNIVERSE
_PERMANENT = 0x80
# what somebody chose for an address; the others say what has become of it
_CHOSEN_FLAGS = 0x02 | 0x200 | 0x400  # no duplicate detection, no prefix route, multicast join

# struct ifinfomsg: family, type, index, flags, change
_LINK = struct.Struct("=BxHiII")
# struct ifaddrmsg: family, prefix length, flags, scope, index
_ADDRESS = struct.Struct("=BBBBi")
_WORD = struct.Struct("=I")


class Link:
    __slots__ = ("hardware", "index", "name", "up")

    def __init__(self, index: int, name: str, hardware: bytes, *, up: bool) -> None:
        self.index = index
        self.name = name
        self.hardware = hardware
        self.up = up


class Address:
    """As the kernel described it, without the interface it was on."""

    __slots__ = ("family", "flags", "prefix", "values")

    def __init__(self, family: int, prefix: int, flags: int, values: dict[int, bytes]) -> None:
        self.family = family
        self.prefix = prefix
        self.flags = flags
        self.values = values


def find_link(netlink: Netlink, name: str) -> Link:
    """OSError(ENODEV) when there is none of that name."""
    for link in links(netlink):
        if link.name == name:
            return link
    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


def links(netlink: Netlink) -> list[Link]:
    header = _LINK.pack(_socket.AF_UNSPEC, 0, 0, 0, 0)
    found: list[Link] = []
    for content in netlink.ask(_RTM_GETLINK, header, NLM_F_DUMP):
        _, _, index, flags, _ = _LINK.unpack_from(content)
        values = attributes(content[_LINK.size :])
        name = values.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "surrogateescape")
        found.append(Link(index, name, values.get(_IFLA_ADDRESS, b""), up=bool(flags & _IFF_UP)))
    return found


def lasting_addresses(netlink: Netlink, link: Link) -> list[Address]:
    """Global addresses that somebody has set; those the kernel or the network gave come again."""
    found: list[Address] = []
    header = _ADDRESS.pack(_socket.AF_UNSPEC, 0, 0, 0, link.index)
    for content in netlink.ask(_RTM_GETADDR, header, NLM_F_DUMP):
        family, prefix, flags, scope, index = _ADDRESS.unpack_from(content)
        values = attributes(content[_ADDRESS.size :])
        if _IFA_FLAGS in values:
            (flags,) = _WORD.unpack_from(values[_IFA_FLAGS])
        if index == link.index and scope == _SCOPE_GLOBAL and flags & _PERMANENT:
            kept = {kind: values[kind] for kind in _COPIED if kind in values}
            found.append(Address(family, prefix, flags & _CHOSEN_FLAGS, kept))
    return found


def move_link(netlink: Netlink, link: Link, namespace: int, name: str) -> None:
    """Into the namespace of an fd, under `name`.

    The kernel moves first and renames then: that the name is free there is for the caller to see
    to, or the interface has moved when the call fails (net/core/rtnetlink.c: do_setlink).
    """
    payload = _LINK.pack(_socket.AF_UNSPEC, 0, link.index, 0, 0)
    payload += attribute(_IFLA_NET_NS_FD, _WORD.pack(namespace))
    payload += attribute(_IFLA_IFNAME, os.fsencode(name) + b"\0")
    netlink.ask(_RTM_NEWLINK, payload)


def add_address(netlink: Netlink, link: Link, address: Address) -> None:
    payload = _ADDRESS.pack(address.family, address.prefix, 0, _SCOPE_GLOBAL, link.index)
    for kind, value in address.values.items():
        payload += attribute(kind, value)
    payload += attribute(_IFA_FLAGS, _WORD.pack(address.flags))
    netlink.ask(_RTM_NEWADDR, payload, NLM_F_CREATE_EXCLUSIVE)


def set_link_up(netlink: Netlink, link: Link) -> None:
    netlink.ask(_RTM_NEWLINK, _LINK.pack(_socket.AF_UNSPEC, 0, link.index, _IFF_UP, _IFF_UP))
