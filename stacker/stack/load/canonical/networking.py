"""How a service is on networks: `networks`, `network_mode`, `links`, and the shared namespaces."""

from __future__ import annotations

from typing import Any

from stacker.stack.load.canonical.decode import (
    Table,
    choice,
    fields,
    list_of,
    map_of,
    refuse,
    text_of,
)
from stacker.stack.load.canonical.scalars import checked_hostname, dns_name, ipv4_address, string
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At, ListNode
from stacker.stack.model import Link, NetworkAttachment

_NOT_YET = "is not supported"
_ATTACHMENT: Table = {
    "aliases": list_of(dns_name),
    "ipv4_address": ipv4_address,
}
_REFUSED = {
    "ipv6_address": f"ipv6_address {_NOT_YET}: networks are IPv4 only",
    "link_local_ips": f"link_local_ips {_NOT_YET}",
    "mac_address": f"mac_address {_NOT_YET}",
    "priority": f"priority {_NOT_YET}: the networks are joined in the order of the list",
    "gw_priority": f"gw_priority {_NOT_YET}: the first network gives the default route",
    "interface_name": f"interface_name {_NOT_YET}",
    "driver_opts": f"driver_opts {_NOT_YET}",
}


def attachments(at: At) -> dict[str, NetworkAttachment]:
    if isinstance(at.node, ListNode):
        return {name: NetworkAttachment() for name in list_of(string)(at)}

    return map_of(_attachment)(at)


def _attachment(at: At) -> NetworkAttachment:
    found: dict[str, Any] = {} if at.is_null else fields(at, _ATTACHMENT, refused=_REFUSED)
    return NetworkAttachment(**found)


def links(at: At) -> tuple[Link, ...]:
    return list_of(_link)(at)


def _link(at: At) -> Link:
    service, _, alias = text_of(at).partition(":")
    return Link(service=service, alias=checked_hostname(at, alias or service))


def namespace(*words: str) -> Any:
    """A mode that is one of a few words, or shares what another has."""

    def decode(at: At) -> str:
        text = text_of(at)
        kind, colon, name = text.partition(":")
        if colon and kind in ("service", "container"):
            if not name:
                refuse(at, f"{quoted(text)} names no {kind}")
            return text

        return choice(*words, "service:NAME", "container:NAME")(at)

    return decode
