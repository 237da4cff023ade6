"""Devices of the host, as stat(2) tells of them, for ``devices:`` and ``privileged:``."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from stacker.base.errors import Invalid, NotFound
from stacker.bundle.inputs import DeviceNode
from stacker.stack.model.security import Device
from stacker.stack.model.service import Service

MOST = 1024
"""Nodes that a directory of devices, or the whole of /dev, may bring."""

OWN = ("/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/console", "/dev/fd", "/dev/tty")
"""What a container has its own of, below which nothing of the host's is passed on."""


def device_nodes(service: Service) -> tuple[DeviceNode, ...]:
    """Look up what a service asks for; all of the host's for a privileged one."""
    nodes = {node.path: node for device in service.devices for node in _look_up(device)}
    if service.privileged:
        everything = Device(source="/dev", target="/dev")
        nodes = {node.path: node for node in _look_up(everything)} | nodes
    return tuple(nodes[path] for path in sorted(nodes))


def _look_up(device: Device) -> Iterable[DeviceNode]:
    try:
        info = os.stat(device.source)
    except OSError as error:
        raise NotFound(f"devices: {device.source} does not exist on this host") from error
    if not stat.S_ISDIR(info.st_mode):
        node = _node(info, device.target, device.permissions)
        if node is None:
            raise Invalid(f"devices: {device.source} is not a device")
        return (node,)

    found: list[DeviceNode] = []
    for directory, _, names in os.walk(device.source):
        if directory.startswith(OWN):
            continue
        for name in sorted(names):
            source = os.path.join(directory, name)
            if source in OWN or len(found) >= MOST:
                continue
            target = device.target + source.removeprefix(device.source)
            node = _node(os.lstat(source), target, device.permissions)
            if node is not None:
                found.append(node)
    return found


def _node(info: os.stat_result, target: str, permissions: str) -> DeviceNode | None:
    if stat.S_ISCHR(info.st_mode):
        kind = "c"
    elif stat.S_ISBLK(info.st_mode):
        kind = "b"
    else:
        return None
    return DeviceNode(
        path=target,
        kind=kind,
        major=os.major(info.st_rdev),
        minor=os.minor(info.st_rdev),
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        permissions=permissions,
    )
