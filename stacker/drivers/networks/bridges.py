"""The host's side of a network: its bridge, made, repaired, taken away.

Blocking: called in worker threads. A bridge stays down until the rules know it (``raise_up``), so
that nothing passes between networks before that.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from stacker.base.errors import Conflict, Failed
from stacker.drivers.networks import marks, names, sysctls
from stacker.drivers.networks.netlink import links
from stacker.drivers.networks.netlink.conversation import ROUTE, Conversation, Refused
from stacker.drivers.networks.records import NetworkRecord


def lay(record: NetworkRecord, tag: str, before: bool, members: Sequence[str]) -> None:
    """Have the bridge, with those of its members' links that have lost it; not up if it is new."""
    name = record.spec.name
    with Conversation(ROUTE) as host:
        link = find(host, record.bridge)
        if link is None:
            _request(host, name, "make the bridge", [_new(record)])
            sysctls.write(f"network {name}", sysctls.bridge(record.bridge))
            link = find(host, record.bridge)
            if link is None:
                raise Failed(f"network {name}: bridge {record.bridge} is gone again")
            alias = marks.alias(tag, name, before=before)
            _request(host, name, "name the bridge", [links.set_alias(link.index, alias)])
        elif not marks.is_for(tag, name, link.alias):
            raise Conflict(f"network {name}: interface {record.bridge} belongs to somebody else")

        strayed = [found for member in members if (found := find(host, member)) is not None]
        host.attempt(
            [
                links.set_master(found.index, link.index)
                for found in strayed
                if found.master != link.index
            ]
        )


def raise_up(record: NetworkRecord) -> None:
    """Give the bridge its address and let packets pass."""
    name = record.spec.name
    with Conversation(ROUTE) as host:
        link = find(host, record.bridge)
        if link is None:
            raise Failed(f"network {name}: bridge {record.bridge} is gone again")
        address = links.new_address(link.index, record.gateway, record.range.prefixlen)
        _request(host, name, "raise the bridge", [links.set_up(link.index), address])


def remove(bridge: str, tag: str) -> None:
    """Remove a bridge if it is there and ours."""
    with Conversation(ROUTE) as host:
        link = find(host, bridge)
        if link is not None and link.alias.startswith(marks.mark(tag)):
            host.attempt([links.delete_link(bridge)])


def find(host: Conversation, interface: str) -> links.Link | None:
    try:
        return links.read_link(host.request([links.get_link(interface)])[0])
    except Refused as error:
        if error.errno == errno.ENODEV:
            return None
        raise Failed(f"link {interface}: look at it: {error}") from error


def _new(record: NetworkRecord) -> bytes:
    return links.new_bridge(record.bridge, mac=names.mac(record.gateway), mtu=record.spec.mtu)


def _request(host: Conversation, name: str, step: str, requests: list[bytes]) -> None:
    try:
        host.request(requests)
    except Refused as error:
        raise Failed(f"network {name}: {step}: {error}") from error
