"""The canonical stack: frozen data, every short form already spelled out.

`load` builds it, `plan`, `bundle` and `engine` read it, the state directory stores it
(`Stack.model_dump(mode="json")` and `Stack.model_validate`).
No IO, no clock, no environment here, and no parsing of short forms.
Field names are those of the Compose Specification; sizes are bytes, durations seconds.
"""

from __future__ import annotations

from stacker.stack.model.attachment import Link, NetworkAttachment, Port
from stacker.stack.model.deploy import Deploy
from stacker.stack.model.files import Config, FileMount, Secret
from stacker.stack.model.health import Healthcheck
from stacker.stack.model.life import Dependency, Logging, RestartPolicy
from stacker.stack.model.mount import BindOptions, Mount, TmpfsOptions, VolumeOptions
from stacker.stack.model.network import Ipam, IpamPool, Network
from stacker.stack.model.security import Device, SecurityOptions, Ulimit
from stacker.stack.model.service import Service
from stacker.stack.model.stack import Stack
from stacker.stack.model.volume import Volume

__all__ = [
    "BindOptions",
    "Config",
    "Dependency",
    "Deploy",
    "Device",
    "FileMount",
    "Healthcheck",
    "Ipam",
    "IpamPool",
    "Link",
    "Logging",
    "Mount",
    "Network",
    "NetworkAttachment",
    "Port",
    "RestartPolicy",
    "Secret",
    "SecurityOptions",
    "Service",
    "Stack",
    "TmpfsOptions",
    "Ulimit",
    "Volume",
    "VolumeOptions",
]
