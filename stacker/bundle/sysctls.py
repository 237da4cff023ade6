"""`linux.sysctl` of config.json: those of the container's own namespaces, and no others."""

from __future__ import annotations

import re

from stacker.base.errors import Invalid
from stacker.bundle.inputs import ContainerInputs
from stacker.stack.model.service import Service
from stacker.stack.model.values import shared_service

_PING_GROUPS = "net.ipv4.ping_group_range"
# Docker's two: ports below 1024 and ping need no capability in a network of one's own
_NETWORK_DEFAULTS = {
    "net.ipv4.ip_unprivileged_port_start": "0",
    _PING_GROUPS: "0 2147483647",
}

# those of the IPC namespace (ipc_namespaces(7)); UTS's own are set by other fields
_IPC = frozenset(
    {
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shm_rmid_forced",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
    }
)
_IPC_PREFIX = "fs.mqueue."
_NETWORK_PREFIX = "net."
_NAME = re.compile(r"[A-Za-z0-9_]+(?:[.\-/@:]?[A-Za-z0-9_*\-]+)*", re.ASCII)


def build_sysctls(service: Service, inputs: ContainerInputs) -> dict[str, str]:
    """Names with dots, as the specification wants them."""
    found: dict[str, str] = {}
    shares_network = shared_service(service.network_mode) is not None
    if inputs.network_namespace is not None and not shares_network:
        found |= _NETWORK_DEFAULTS
        if inputs.ids is not None:
            # groups that a user namespace does not have are refused
            found[_PING_GROUPS] = f"0 {inputs.ids.size - 1}"
    for written, value in service.sysctls.items():
        name = written.replace("/", ".") if "." not in written else written
        _check(service, inputs, name, value)
        found[name] = value
    return found


def _check(service: Service, inputs: ContainerInputs, name: str, value: str) -> None:
    if not _NAME.fullmatch(name) or ".." in name or any(c in value for c in "\0\n"):
        raise Invalid(f"sysctls: {name!r} is not the name of a setting")
    if name.startswith(_NETWORK_PREFIX):
        if inputs.network_namespace is None:
            raise Invalid(f"sysctls: {name} is the host's where its network is used")
    elif name in _IPC or name.startswith(_IPC_PREFIX):
        if service.ipc == "host":
            raise Invalid(f"sysctls: {name} is the host's where its ipc is used")
    else:
        raise Invalid(f"sysctls: {name} belongs to the whole host, not to a container")
