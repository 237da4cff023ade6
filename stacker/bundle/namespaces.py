"""`linux.namespaces` of config.json: new ones, other containers' by path, or the host's (none)."""

from __future__ import annotations

from stacker.base.errors import Invalid
from stacker.bundle.inputs import ContainerInputs
from stacker.stack.model.service import Service
from stacker.stack.model.values import shared_service

HOST = "host"


def build_namespaces(service: Service, inputs: ContainerInputs) -> list[dict[str, str]]:
    """Mount and cgroup namespaces are always new: without them nothing else holds."""
    found: list[dict[str, str]] = [{"type": "mount"}, {"type": "cgroup"}]
    if inputs.user_namespace is not None:
        found.append({"type": "user", "path": inputs.user_namespace})
    if inputs.network_namespace is not None:
        found.append({"type": "network", "path": inputs.network_namespace})
    if service.uts != HOST:
        found.append({"type": "uts"})
    found += _one("pid", service.pid, inputs.pid_namespace)
    found += _one("ipc", service.ipc, inputs.ipc_namespace)
    return found


def _one(kind: str, mode: str | None, path: str | None) -> list[dict[str, str]]:
    if mode == HOST:
        return []
    if shared_service(mode) is None:
        return [{"type": kind}]
    if path is None:
        raise Invalid(f"{kind}: {mode}: the service whose namespace is shared does not run")
    return [{"type": kind, "path": path}]
