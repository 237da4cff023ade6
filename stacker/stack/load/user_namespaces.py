"""Checks of `userns_mode`: what a user namespace of one's own cannot go together with."""

from __future__ import annotations

from collections.abc import Iterator

from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import NodePath
from stacker.stack.model import Service, Stack
from stacker.stack.model.values import shared_service

Finding = tuple[NodePath, str]

_MODES = ("network_mode", "pid", "ipc")


def own_ids_are_possible(stack: Stack) -> Iterator[Finding]:
    """The kernel gives root of a user namespace rights over that namespace's own things only."""
    for key, service in stack.services.items():
        if service.userns_mode is None:
            continue
        path: NodePath = ("services", key)
        mode = quoted(service.userns_mode)
        if service.privileged:
            yield (*path, "privileged"), f"privileged excludes userns_mode {mode}"
        for field in _MODES:
            if getattr(service, field) == "host":
                yield (*path, field), f"{field} host excludes userns_mode {mode}"
        for field in ("pid", "ipc"):
            owner = shared_service(getattr(service, field))
            if owner is not None and shared_service(service.network_mode) != owner:
                yield (
                    (*path, field),
                    f"with userns_mode {mode} it needs network_mode service:{owner} as well",
                )


def namespaces_are_shared_with_ids(stack: Stack) -> Iterator[Finding]:
    for key, service in stack.services.items():
        for field in _MODES:
            other = stack.services.get(shared_service(getattr(service, field)) or "")
            if other is not None and other.userns_mode != service.userns_mode:
                yield (
                    ("services", key, field),
                    f"its userns_mode is {_word(service)}, and {_word(other)} where it is shared",
                )


def _word(service: Service) -> str:
    return service.userns_mode or "host"


USER_NAMESPACE_CHECKS = (own_ids_are_possible, namespaces_are_shared_with_ids)
