"""What should be true of one stack: the loaded file, and what the user asked for beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stacker.stack.model.service import Service
from stacker.stack.model.stack import Stack
from stacker.stack.model.values import shared_service


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The declaration that another one replaces."""

    stack: Stack
    contents: Mapping[str, str]
    """Digests of its configs and secrets, by ``configs.KEY`` and ``secrets.KEY``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    stack: Stack
    before: Before | None = None
    """To say what has changed; None: the first one, or no longer known."""
    generation: int = 1
    """Grows with every ``up``."""
    stopped: frozenset[str] = frozenset()
    """Services that the user has stopped; all of them when the whole stack is."""
    refresh: frozenset[str] = frozenset()
    """Image references to ask the registry for in this pass (``--pull always``)."""
    offline: frozenset[str] = frozenset()
    """Image references not to ask the registry for (``--pull never``)."""
    recreate: frozenset[str] = frozenset()
    """Container ids to make anew although nothing changed (``--force-recreate``)."""
    restart: frozenset[str] = frozenset()
    """Container ids to stop and start (``stacker restart``)."""
    rerun: frozenset[str] = frozenset()
    """Container ids that have ended and are to be started again (``up``, ``start``)."""

    def replicas(self, service: str) -> int:
        return self.stack.services[service].deploy.replicas


def container_name(stack: Stack, service: str, index: int) -> str:
    """``shop-web-1``, or what ``container_name`` says."""
    declared = stack.services[service].container_name
    return declared or f"{stack.name}-{service}-{index}"


def used_networks(stack: Stack) -> dict[str, tuple[str, ...]]:
    """Return the network keys that services use, each with the services on it, sorted."""
    users: dict[str, list[str]] = {}
    for name in sorted(stack.services):
        for key in stack.services[name].networks:
            users.setdefault(key, []).append(name)
    return {key: tuple(users[key]) for key in sorted(users)}


def named_volumes(stack: Stack, service: Service) -> tuple[str, ...]:
    """Return the keys of the named volumes that a service mounts, sorted."""
    sources = {mount.source for mount in service.volumes if mount.type == "volume"}
    return tuple(key for key in sorted(stack.volumes) if key in sources)


def used_volumes(stack: Stack) -> tuple[str, ...]:
    """Return the keys of the named volumes that any service mounts, sorted."""
    used = {key for service in stack.services.values() for key in named_volumes(stack, service)}
    return tuple(sorted(used))


def namespace_parents(service: Service) -> tuple[str, ...]:
    """Return the services whose namespaces this one shares (``network_mode: service:x`` …)."""
    modes = (service.network_mode, service.pid, service.ipc)
    return tuple(sorted({owner for mode in modes if (owner := shared_service(mode))}))


def mortal_namespaces(service: Service) -> dict[str, str]:
    """Return the kinds of namespaces that end with their owner's process, each with the owner.

    A network namespace is not one of them: it belongs to the container.
    """
    modes = {"pid": service.pid, "ipc": service.ipc}
    return {kind: owner for kind, mode in modes.items() if (owner := shared_service(mode))}
