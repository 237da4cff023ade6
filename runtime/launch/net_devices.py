"""`linux.netDevices`: host interfaces on their way into the container.

Three hands take part: the parent looks at the host's interfaces before it forks and moves them
once the namespace is there; init, inside, gives them back what the kernel took away on the way.
"""

from __future__ import annotations

import os

from runtime.errors import KernelFault, RuntimeFault, SpecInvalid, step
from runtime.linux.links import (
    Link,
    add_address,
    find_link,
    lasting_addresses,
    links,
    move_link,
    set_link_up,
)
from runtime.linux.namespaces import CLONE_NEWNET, setns
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


def move_devices(moving: tuple[Moving, ...], pid: int) -> int:
    """In the host's namespace: into the one of process `pid`, which waits for us.

    Gives an fd of that namespace, for `bring_back` if it comes to that; -1 without devices.
    """
    if not moving:
        return -1
    with step("open the network namespace of the container"):
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _refuse_own(namespace, moving[0])
        _refuse_taken(namespace, moving)
        with Netlink() as netlink:
            for one in moving:
                device = one.device
                with step(f"linux.netDevices.{device.host_name}: move it in as {device.name}"):
                    move_link(netlink, one.link, namespace, device.name)
    except BaseException:
        bring_back(moving, namespace)
        os.close(namespace)
        raise
    return namespace


def bring_back(moving: tuple[Moving, ...], namespace: int) -> None:
    """After a failure: the host gets back what it had. Best effort, the failure is what counts."""
    for one in moving:
        try:
            with step("open the network namespace of the host"):
                ours = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                with _netlink_in(namespace) as inside:
                    move_link(inside, _arrived(links(inside), one), ours, one.device.host_name)
            finally:
                os.close(ours)
            with Netlink() as netlink:
                _restore(netlink, find_link(netlink, one.device.host_name), one, up=one.link.up)
        except (OSError, RuntimeFault):
            continue


def set_devices_up(it: Init) -> None:
    """Inside: an interface arrives down and without addresses (net/core/dev.c)."""
    if not it.job.moving:
        return
    with Netlink() as netlink:
        for one in it.job.moving:
            with step(f"linux.netDevices.{one.device.host_name}: set it up"):
                _restore(netlink, _arrived(links(netlink), one), one, up=True)


def _restore(netlink: Netlink, link: Link, one: Moving, *, up: bool) -> None:
    for address in one.addresses:
        add_address(netlink, link, address)
    if up:
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


def _refuse_taken(namespace: int, moving: tuple[Moving, ...]) -> None:
    with _netlink_in(namespace) as inside:
        taken = {link.name for link in links(inside)}
    for one in moving:
        if one.device.name in taken:
            raise SpecInvalid(
                f"linux.netDevices.{one.device.host_name}: "
                f"the container's network namespace has an interface {one.device.name} already"
            )


def _netlink_in(namespace: int) -> Netlink:
    """A socket belongs to the namespace it was made in, wherever its owner goes."""
    ours = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with step("enter the network namespace of the container"):
            setns(namespace, CLONE_NEWNET)
        try:
            return Netlink()
        finally:
            setns(ours, CLONE_NEWNET)
    finally:
        os.close(ours)
