"""What a stack file leaves unsaid: the default network, names on the host, implied dependencies.

Pure. Takes the draft apart into the services that take part and the resources these use, as
docker compose does: what no service uses is not made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from stacker.stack.load.canonical import Draft, ServiceDraft
from stacker.stack.load.problems import Problem, Refused, quoted
from stacker.stack.load.tree import locate
from stacker.stack.model import Dependency, Network, NetworkAttachment, Service, Stack
from stacker.stack.model.values import shared_service

DEFAULT = "default"

R = TypeVar("R")


def select(draft: Draft, profiles: Collection[str]) -> Draft:
    """The services that take part: those without profiles, and those with an active one."""
    chosen = {
        name: service
        for name, service in draft.services.items()
        if not service.service.profiles
        or "*" in profiles
        or not set(profiles).isdisjoint(service.service.profiles)
    }
    return replace(draft, services=chosen)


def complete(draft: Draft, name: str) -> Stack:
    """The stack; its references are not checked yet."""
    containers = {
        container: key
        for key, service in draft.services.items()
        if (container := service.service.container_name) is not None
    }
    services = {
        key: _completed(draft, key, service, containers) for key, service in draft.services.items()
    }
    services = _shareable(services)
    networks = dict(draft.networks)
    networks.setdefault(DEFAULT, Network(name=DEFAULT))
    unnamed = {*draft.unnamed, *({("networks", DEFAULT)} - _declared(draft))}
    return Stack(
        name=name,
        services=services,
        networks=_named(_used(networks, _networks(services)), name, "networks", unnamed),
        volumes=_named(_used(draft.volumes, _volumes(services)), name, "volumes", unnamed),
        configs=_named(_used(draft.configs, _configs(services)), name, "configs", unnamed),
        secrets=_named(_used(draft.secrets, _secrets(services)), name, "secrets", unnamed),
    )


def _declared(draft: Draft) -> set[tuple[str, str]]:
    return {("networks", key) for key in draft.networks}


# --- services ---------------------------------------------------------------------------------


def _completed(
    draft: Draft, key: str, service: ServiceDraft, containers: Mapping[str, str]
) -> Service:
    update: dict[str, Any] = {}
    for mode, container in service.container_modes.items():
        if container not in containers:
            message = f"container {quoted(container)} is not one of this stack's: use service:NAME"
            raise Refused(Problem(locate(draft.root, ("services", key, mode)), message))
        update[mode] = f"service:{containers[container]}"

    shared = {"network_mode", "pid", "ipc"}
    modes = {mode: update.get(mode, getattr(service.service, mode)) for mode in sorted(shared)}
    if modes["network_mode"] is None and not service.service.networks:
        update["networks"] = {DEFAULT: NetworkAttachment()}

    implied = {**_from_links(service.service), **_from_modes(modes.values())}
    if implied:
        update["depends_on"] = {**implied, **service.service.depends_on}

    return service.service.model_copy(update=update) if update else service.service


def _from_links(service: Service) -> dict[str, Dependency]:
    return {link.service: Dependency(restart=True) for link in service.links}


def _from_modes(modes: Iterable[str | None]) -> dict[str, Dependency]:
    """A namespace ends with its owner, so who shares it is restarted with it."""
    owners = filter(None, map(shared_service, modes))
    return {owner: Dependency(restart=True) for owner in owners}


def _shareable(services: Mapping[str, Service]) -> dict[str, Service]:
    """Whose namespace another shares says so, as its /dev/shm is then made for both."""
    owners = {shared_service(service.ipc) for service in services.values()}
    return {
        key: service.model_copy(update={"ipc": "shareable"})
        if key in owners and service.ipc is None
        else service
        for key, service in services.items()
    }


# --- resources --------------------------------------------------------------------------------


def _networks(services: Mapping[str, Service]) -> set[str]:
    return {key for service in services.values() for key in service.networks}


def _volumes(services: Mapping[str, Service]) -> set[str]:
    mounts = [mount for service in services.values() for mount in service.volumes]
    return {mount.source for mount in mounts if mount.type == "volume" and mount.source}


def _configs(services: Mapping[str, Service]) -> set[str]:
    return {mount.source for service in services.values() for mount in service.configs}


def _secrets(services: Mapping[str, Service]) -> set[str]:
    return {mount.source for service in services.values() for mount in service.secrets}


def _used(declared: Mapping[str, R], used: set[str]) -> dict[str, R]:
    return {key: resource for key, resource in declared.items() if key in used}


def _named(
    resources: dict[str, Any], name: str, kind: str, unnamed: set[tuple[str, str]]
) -> dict[str, Any]:
    """Names on the host are the stack's; an external resource has its own."""
    return {
        key: resource.model_copy(update={"name": f"{name}_{key}"})
        if (kind, key) in unnamed and not getattr(resource, "external", False)
        else resource
        for key, resource in resources.items()
    }
