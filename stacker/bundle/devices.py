"""Device nodes of a container, and the rules that say which may be opened."""

from __future__ import annotations

from stacker.bundle.inputs import ContainerInputs, DeviceNode
from stacker.stack.model.service import Service

_DENY_ALL: dict[str, object] = {"allow": False, "access": "rwm"}
_ALLOW_ALL: dict[str, object] = {"allow": True, "access": "rwm"}

# null, zero, full, random, urandom, tty, console: what every container has (runtime
# specification, "Default Devices"); the runtime adds ptmx and pts
_DEFAULT_NUMBERS = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1))


def rules(service: Service, inputs: ContainerInputs) -> list[dict[str, object]]:
    if service.privileged:
        return [_ALLOW_ALL]
    defaults = [_allow("c", major, minor, "rwm") for major, minor in _DEFAULT_NUMBERS]
    own = [
        _allow(device.kind, device.major, device.minor, device.permissions)
        for device in inputs.devices
    ]
    return [_DENY_ALL, *defaults, *own]


def nodes(inputs: ContainerInputs) -> list[dict[str, object]]:
    return [_node(device) for device in sorted(inputs.devices, key=lambda node: node.path)]


def _node(device: DeviceNode) -> dict[str, object]:
    return {
        "path": device.path,
        "type": device.kind,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.mode & 0o777,
        "uid": device.uid,
        "gid": device.gid,
    }


def _allow(kind: str, major: int, minor: int, access: str) -> dict[str, object]:
    return {"allow": True, "type": kind, "major": major, "minor": minor, "access": access}
