"""What must hold between the parts of a stack: each check is a function, and all of them run.

A check yields the path of what is wrong and a sentence; where that was written is looked up in
the merged tree. Pure: whether an image, a file or a free port exists is not asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from stacker.oci.platform import Platform
from stacker.oci.reference import Reference
from stacker.stack.load.addresses import ADDRESS_CHECKS
from stacker.stack.load.problems import Problem, Refused, quoted, suggestion
from stacker.stack.load.tree import MapNode, NodePath, locate
from stacker.stack.load.user_namespaces import USER_NAMESPACE_CHECKS
from stacker.stack.model import Service, Stack
from stacker.stack.model.values import shared_service

Finding = tuple[NodePath, str]
Check = Callable[[Stack], Iterator[Finding]]


def check(stack: Stack, root: MapNode) -> None:
    """Raises `Refused` with everything that does not hold."""
    findings = [finding for one in CHECKS for finding in one(stack)]
    if findings:
        raise Refused(*(Problem(locate(root, path), message) for path, message in findings))


def _each(stack: Stack) -> Iterator[tuple[str, Service, NodePath]]:
    for key, service in stack.services.items():
        yield key, service, ("services", key)


def something_to_run(stack: Stack) -> Iterator[Finding]:
    if not stack.services:
        yield (
            ("services",),
            "no service takes part: none is declared, or none has an active profile",
        )


def known_resources(stack: Stack) -> Iterator[Finding]:
    for _, service, path in _each(stack):
        for key in service.networks:
            if key not in stack.networks:
                yield (*path, "networks", key), _undefined("network", key, stack.networks)
        for index, mount in enumerate(service.volumes):
            key = mount.source
            if mount.type == "volume" and key is not None and key not in stack.volumes:
                yield (*path, "volumes", index), _undefined("volume", key, stack.volumes)
        for kind, mounts in (("configs", service.configs), ("secrets", service.secrets)):
            declared = getattr(stack, kind)
            for index, mount in enumerate(mounts):
                if mount.source not in declared:
                    yield (*path, kind, index), _undefined(kind[:-1], mount.source, declared)


def _undefined(kind: str, key: str, declared: Iterable[str]) -> str:
    return f"{kind} {quoted(key)} is not declared{suggestion(key, declared)}"


def known_services(stack: Stack) -> Iterator[Finding]:
    for _, service, path in _each(stack):
        links = {link.service for link in service.links}
        for index, link in enumerate(service.links):
            if link.service not in stack.services:
                yield (*path, "links", index), _unknown_service(link.service, stack)
        for mode in ("network_mode", "pid", "ipc"):
            owner = shared_service(getattr(service, mode))
            if owner is not None:
                links.add(owner)
                if owner not in stack.services:
                    yield (*path, mode), _unknown_service(owner, stack)
                elif mode == "ipc" and stack.services[owner].ipc != "shareable":
                    own = stack.services[owner].ipc
                    yield (*path, mode), f"service {quoted(owner)} has ipc {own}, not shareable"
        for key, dependency in service.depends_on.items():
            if key not in stack.services and dependency.required and key not in links:
                yield (*path, "depends_on", key), _unknown_service(key, stack)


def _unknown_service(key: str, stack: Stack) -> str:
    return (
        f"service {quoted(key)} is not declared, or its profile is not active"
        f"{suggestion(key, stack.services)}"
    )


def no_cycles(stack: Stack) -> Iterator[Finding]:
    """Each cycle of `depends_on` once, named from the service that comes first in the file."""
    done: set[str] = set()
    for start in stack.services:
        cycle = _cycle_from(stack, start, done)
        if cycle:
            first, second = cycle[0], cycle[1 % len(cycle)]
            shown = " → ".join((*cycle, first))
            yield ("services", first, "depends_on", second), f"dependency cycle: {shown}"
            done.update(cycle)


def _cycle_from(stack: Stack, start: str, done: set[str]) -> tuple[str, ...]:
    """Depth first with a stack of our own: a chain of services may be longer than Python's."""
    trail: dict[str, None] = {}
    pending: list[tuple[str, bool]] = [(start, True)]
    while pending:
        key, entering = pending.pop()
        if not entering:
            del trail[key]
            done.add(key)
        elif key in trail:
            walked = tuple(trail)
            return walked[walked.index(key) :]
        elif key not in done and key in stack.services:
            trail[key] = None
            pending.append((key, False))
            pending += ((other, True) for other in stack.services[key].depends_on)

    return ()


def healthy_can_be_known(stack: Stack) -> Iterator[Finding]:
    for _, service, path in _each(stack):
        for key, dependency in service.depends_on.items():
            other = stack.services.get(key)
            health = other.healthcheck if other else None
            if dependency.condition == "service_healthy" and health is not None and health.disable:
                yield (*path, "depends_on", key), f"{quoted(key)} has its health check disabled"


def one_network_stack(stack: Stack) -> Iterator[Finding]:
    for _, service, path in _each(stack):
        mode = service.network_mode
        if mode is None:
            continue
        if service.networks:
            yield (*path, "networks"), f"networks and network_mode {mode} exclude each other"
        if shared_service(mode) is not None:
            for key in ("ports", "hostname", "extra_hosts", "dns", "links"):
                if getattr(service, key):
                    yield (*path, key), f"{key} belongs to the service whose network is shared"


def names_once(stack: Stack) -> Iterator[Finding]:
    containers: dict[str, str] = {}
    for key, service, path in _each(stack):
        name = service.container_name
        if name is None:
            continue
        if name in containers:
            other = containers[name]
            yield (*path, "container_name"), f"{quoted(name)} is the name of {quoted(other)} too"
        if service.deploy.replicas > 1:
            yield (*path, "container_name"), "a name for one container, but several replicas"
        containers[name] = key

    for kind in ("networks", "volumes"):
        seen: dict[str, str] = {}
        for key, resource in getattr(stack, kind).items():
            if resource.name in seen:
                other = seen[resource.name]
                yield (kind, key, "name"), f"{quoted(resource.name)} is {quoted(other)} too"
            seen[resource.name] = key


def limits_agree(stack: Stack) -> Iterator[Finding]:
    for _, service, path in _each(stack):
        limit, swap = service.mem_limit, service.memswap_limit
        if limit is not None and (service.mem_reservation or 0) > limit:
            yield (*path, "mem_reservation"), "above mem_limit"
        if swap is not None and swap != -1:
            if limit is None:
                yield (*path, "memswap_limit"), "needs mem_limit, whose memory it includes"
            elif swap < limit:
                yield (*path, "memswap_limit"), "below mem_limit, whose memory it includes"


def one_platform_an_image(stack: Stack) -> Iterator[Finding]:
    """A name stands for one image here, and an image is for one platform."""
    chosen: dict[str, tuple[str, Platform]] = {}
    for key, service, path in _each(stack):
        if service.platform is None or Reference.parse(service.image).digest is not None:
            continue
        wanted = Platform.parse(service.platform)
        other, platform = chosen.setdefault(service.image, (key, wanted))
        if platform != wanted:
            yield (
                (*path, "platform"),
                f"{service.image} is for {platform} in {quoted(other)}: name one by its digest",
            )


CHECKS: tuple[Check, ...] = (
    something_to_run,
    known_resources,
    known_services,
    no_cycles,
    healthy_can_be_known,
    one_network_stack,
    names_once,
    limits_agree,
    one_platform_an_image,
    *ADDRESS_CHECKS,
    *USER_NAMESPACE_CHECKS,
)
