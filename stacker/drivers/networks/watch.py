"""Events of the kernel that concern our networks: links, addresses, forwarding, the rules.

An event only says that it is worth looking again. What we do ourselves wakes nobody: only the
loss of something does, and what is removed on purpose has left the records before.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from stacker.drivers.networks import encode
from stacker.drivers.networks.netlink import links
from stacker.drivers.networks.netlink.attributes import attributes, number
from stacker.drivers.networks.netlink.conversation import (
    NETFILTER,
    ROUTE,
    Conversation,
    Message,
)

_LINK, _ADDRESS, _NETCONF = 1, 5, 24  # RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_NETCONF
_RULES = 7  # NFNLGRP_NFTABLES
_IFINDEX, _FORWARDING = 1, 2  # NETCONFA_
_ALL = 0xFFFFFFFF  # NETCONFA_IFINDEX_ALL


async def watch_links(is_known: Callable[[str], bool], changed: Callable[[], None]) -> None:
    """Call ``changed`` when a link of ours loses something, until cancelled."""
    seen = _Seen()
    with Conversation(ROUTE, groups=(_LINK, _ADDRESS, _NETCONF)) as events:
        while True:
            messages = await _next(events)
            if messages is None or any(_is_loss(m, is_known, seen) for m in messages):
                changed()


async def watch_rules(own_port: Callable[[], int], changed: Callable[[], Awaitable[None]]) -> None:
    """Call ``changed`` after each transaction of somebody else, until cancelled."""
    with Conversation(NETFILTER, groups=(_RULES,)) as events:
        while True:
            messages = await _next(events)
            if messages is None or any(
                message.type == encode.NEWGEN and message.port != own_port() for message in messages
            ):
                await changed()


async def _next(events: Conversation) -> list[Message] | None:
    """The messages that have arrived; None when some were lost."""
    await anyio.wait_readable(events.socket)
    try:
        return events.receive()
    except OSError as error:
        if error.errno == errno.ENOBUFS:
            return None
        raise


@dataclass(slots=True)
class _Seen:
    """Links of ours as the events have shown them: name and bridge, by index."""

    links: dict[int, tuple[str, int]] = field(default_factory=dict[int, tuple[str, int]])


def _is_loss(message: Message, is_known: Callable[[str], bool], seen: _Seen) -> bool:
    match message.type:
        case links.NEWNETCONF:
            attrs = attributes(message.data, 4)
            return number(attrs.get(_IFINDEX)) == _ALL and number(attrs.get(_FORWARDING)) == 0
        case links.DELADDR:
            return links.read_address(message)[0] in seen.links
        case links.NEWLINK | links.DELLINK:
            return _is_lost_link(message, is_known, seen)
        case _:
            return False


def _is_lost_link(message: Message, is_known: Callable[[str], bool], seen: _Seen) -> bool:
    link = links.read_link(message)
    name, master = seen.links.get(link.index, (link.name, 0))
    if message.type == links.DELLINK:
        # the bridge's own message says only that the port has left it
        seen.links.pop(link.index, None)
        return is_known(link.name)
    if not is_known(link.name):
        seen.links.pop(link.index, None)
        return is_known(name)
    seen.links[link.index] = (link.name, link.master)
    return not link.up or (master != 0 and link.master != master)
