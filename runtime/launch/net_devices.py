"""`linux.netDevices`: host interfaces on their way into the container.

Three hands take part: the parent looks at the host's interfaces before it forks and moves them
once the namespace is there; init, inside, gives them back what the kernel took away on the way.
"""

from __future__ import annotations

import os

from runtime.errors import KernelFault, SpecInvalid, step
from runtime.linux.links import (
    Link,
    add_address,
    find_link,
    lasting_addresses,
    links,
    move_link,
    set_link_up,
)
from runtime.linux.netlink import Netlink
from runtime.spec.net_devices import matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.launch.job import Init
    from runtime.linux.links import Address
    from runtime.spec.net_devices import NetDevice


class Moving:
    """One interface, as it was on the host."""

    __slots__ = ("addresses", "device", "link")

    def __init__(self, device: NetDevice, link: Link, addresses: list[Address]) -> None:
        self.device = device
        self.link = link
        self.addresses = addresses


def look_at_devices(devices: tuple[NetDevice, ...]) -> tuple[Moving, ...]:
    if not devices:
        return ()
    found: list[Moving] = []
    with Netlink() as netlink:
        for device in devices:
            with step(f"linux.netDevices.{device.host_name}"):
                link = find_link(netlink, device.host_name)
                found.append(Moving(device, link, lasting_addresses(netlink, link)))
    return tuple(found)


def move_devices(moving: tuple[Moving, ...], pid: int) -> None:
    """In the host's namespace: into the one of process `pid`, which waits for us."""
    if not moving:
        return
    with step("open the network namespace of the container"):
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _refuse_own(namespace, moving[0])
        with Netlink() as netlink:
            for one in moving:
                device = one.device
                with step(f"linux.netDevices.{device.host_name}: move it in as {device.name}"):
                    move_link(netlink, one.link, namespace, device.name)
    finally:
        os.close(namespace)


def set_devices_up(it: Init) -> None:
    """Inside: an interface arrives down and without addresses (net/core/dev.c)."""
    if not it.job.moving:
        return
    with Netlink() as netlink:
        for one in it.job.moving:
            with step(f"linux.netDevices.{one.device.host_name}: set it up"):
                link = _arrived(links(netlink), one)
                for address in one.addresses:
                    add_address(netlink, link, address)
                set_link_up(netlink, link)


def _arrived(present: list[Link], one: Moving) -> Link:
    """By name; where the kernel has chosen the number in it, by the hardware's address too."""
    candidates = [link for link in present if matches(one.device.name, link.name)]
    if one.device.name not in (link.name for link in candidates):
        candidates = [link for link in candidates if link.hardware == one.link.hardware]
    if not candidates:
        raise KernelFault(f"linux.netDevices.{one.device.host_name}", 0, "it did not arrive")
    return candidates[0]


def _refuse_own(namespace: int, first: Moving) -> None:
    """Joined by path it may be our own: the interface would not move, only change its name."""
    ours, theirs = os.stat("/proc/self/ns/net"), os.fstat(namespace)
    if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino):
        raise SpecInvalid(
            f"linux.netDevices.{first.device.host_name}: "
            "the container's network namespace is the host's"
        )
