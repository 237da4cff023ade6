"""A container's network namespace and the links in it, made or repaired.

Blocking: called in worker threads, for several sandboxes at once. Whole when it returns; what was
half-made is gone when it raises. One message makes a pair of links in both namespaces, up and on
the bridge; a second batch, inside, does the rest.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Sequence
from pathlib import Path

from stacker.base.errors import Failed
from stacker.drivers.networks import namespaces, sysctls
from stacker.drivers.networks.blueprint import Blueprint, Wire
from stacker.drivers.networks.names import owner_place
from stacker.drivers.networks.netlink import links
from stacker.drivers.networks.netlink.conversation import ROUTE, Conversation, Refused

_LOOPBACK = 1  # the index of lo in every namespace
_LEAVING = 0x736B4C56
"""The link group of what is being deleted: the kernel takes a group down in one go."""


def build(blueprint: Blueprint) -> None:
    """Make the sandbox, or what is missing of it."""
    new = not namespaces.is_pinned(blueprint.path)
    try:
        with Conversation(ROUTE) as host, _enter(blueprint, new=new) as inside:
            _connect(blueprint, host, inside, new=new)
            host.request([links.set_hairpin(w.outside) for w in blueprint.wires if w.published])
            _configure(blueprint, inside)
            # asking for a link makes the kernel settle its carrier (rtnl_getlink), without which
            # the bridge drops the first packets; older kernels settle it by themselves, soon
            host.attempt([links.get_link(wire.outside) for wire in blueprint.wires])
        if blueprint.ids is not None:
            namespaces.pin_owner(blueprint.path)
        if blueprint.sysctls:
            whose = f"container {blueprint.name}"
            namespaces.call_in(blueprint.path, lambda: sysctls.write(whose, blueprint.sysctls))
    except BaseException as error:
        if new:
            tear_down([blueprint.path], [wire.outside for wire in blueprint.wires])
        if isinstance(error, Refused | OSError):
            raise Failed(f"container {blueprint.name}: make its network: {error}") from error
        raise


def addresses(path: Path) -> dict[str, str]:
    """The first address of each interface in a namespace that is there already; else nothing."""
    if not namespaces.is_pinned(path):
        return {}
    with namespaces.call_in(path, lambda: Conversation(ROUTE)) as inside:
        found = [links.read_link(message) for message in inside.dump(links.get_links())]
        interfaces = {link.index: link.name for link in found}
        seen = [links.read_address(message) for message in inside.dump(links.get_addresses())]
    return {interfaces.get(index, ""): address for index, address, _ in reversed(seen)}


def tear_down(paths: Sequence[Path], outside: Sequence[str]) -> None:
    """Remove links at once, and namespaces as soon as nobody is in them; idempotent."""
    for path in paths:
        namespaces.unpin(path)
        namespaces.unpin(owner_place(path))
    with Conversation(ROUTE) as host:
        indices = [index for name in outside if (index := _index(host, name))]
        if len(indices) == 1:
            host.attempt([links.delete_index(indices[0])])
        elif indices:
            host.attempt([links.set_group(index, _LEAVING) for index in indices])
            host.attempt([links.delete_group(_LEAVING)])


def _enter(blueprint: Blueprint, *, new: bool) -> Conversation:
    """Open a conversation with the kernel inside, in a namespace that is made when it is new."""

    def first() -> Conversation:
        sysctls.write("sandbox", sysctls.SANDBOX)
        return Conversation(ROUTE)

    if new:
        return namespaces.make_pinned(blueprint.path, first, ids=blueprint.ids)
    return namespaces.call_in(blueprint.path, lambda: Conversation(ROUTE))


def _connect(blueprint: Blueprint, host: Conversation, inside: Conversation, *, new: bool) -> None:
    wires = list(blueprint.wires) if new else _broken(blueprint, host, inside)
    if not wires:
        return

    namespace = os.open(blueprint.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        requests = [_new_veth(wire, host, namespace, blueprint) for wire in wires]
        try:
            host.request(requests)
        except Refused as error:
            if error.errno != errno.EEXIST:
                raise
            # left over: a link whose namespace is still being taken down by the kernel
            host.attempt([links.delete_link(wire.outside) for wire in wires])
            host.request(requests)
    finally:
        os.close(namespace)


def _broken(blueprint: Blueprint, host: Conversation, inside: Conversation) -> list[Wire]:
    """The wires that must be made anew; those whole but off their bridge are put back."""
    broken: list[Wire] = []
    for wire in blueprint.wires:
        outside, bridge = _index(host, wire.outside), _index(host, wire.bridge)
        if outside and bridge and _index(inside, wire.endpoint.interface):
            host.request([links.set_master(outside, bridge)])
        else:
            host.attempt([links.delete_link(wire.outside)])
            inside.attempt([links.delete_link(wire.endpoint.interface)])
            broken.append(wire)
    return broken


def _new_veth(wire: Wire, host: Conversation, namespace: int, blueprint: Blueprint) -> bytes:
    bridge = _index(host, wire.bridge)
    if not bridge:
        raise Failed(
            f"container {blueprint.name}: bridge {wire.bridge}"
            f" of network {wire.endpoint.network} is gone"
        )
    return links.new_veth(
        wire.outside,
        bridge=bridge,
        mtu=wire.mtu,
        peer_namespace=namespace,
        peer_name=wire.endpoint.interface,
        peer_mac=wire.endpoint.mac_address,
    )


def _configure(blueprint: Blueprint, inside: Conversation) -> None:
    """Set lo up, addresses and the default route; all of it may be there already."""
    requests = [links.set_up(_LOOPBACK)]
    for wire in blueprint.wires:
        endpoint = wire.endpoint
        index = _index(inside, endpoint.interface)
        requests += [
            links.set_up(index),
            links.new_address(index, endpoint.ipv4_address, endpoint.prefix_length),
        ]
        if blueprint.gateway == endpoint.gateway:
            requests.append(links.new_default_route(index, endpoint.gateway))
    inside.request(requests)


def _index(conversation: Conversation, interface: str) -> int:
    """The index of a link, 0 when there is none."""
    try:
        answer = conversation.request([links.get_link(interface)])[0]
    except Refused as error:
        if error.errno == errno.ENODEV:
            return 0
        raise
    return struct.unpack_from("=i", answer.data, 4)[0]
