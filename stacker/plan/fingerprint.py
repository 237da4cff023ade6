"""Which change makes a container be made anew: a digest over what it was made from.

A fingerprint must be stable: it is compared with the one that the container's record kept, over
restarts and upgrades of the supervisor. So it is taken over the canonical JSON of those fields
that are not at their default, and a field added to the model later changes no old fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from stacker.plan.desired import Before, named_volumes, namespace_parents
from stacker.plan.network_specs import NetworkSpec
from stacker.stack.model.network import Network
from stacker.stack.model.service import Service
from stacker.stack.model.stack import Stack

LIVE = frozenset(
    {
        "depends_on",
        "deploy",
        "expose",
        "healthcheck",
        "profiles",
        "pull_policy",
        "restart",
        "stop_grace_period",
        "stop_signal",
    }
)
"""Fields that the supervisor itself acts on: they apply without touching the container."""


def network_fingerprint(network: Network) -> str:
    return _digest(network.model_dump(mode="json", exclude_defaults=True, exclude={"labels"}))


def service_fingerprint(stack: Stack, name: str, contents: Mapping[str, str]) -> str:
    """Digest a service with all that it refers to: networks, volumes, contents, shared services.

    ``contents`` are the digests of configs and secrets, by ``configs.KEY`` and ``secrets.KEY``.
    """
    return _digest(_parts(stack, name, contents))


def changed_keys(
    before: Before, fingerprint: str, stack: Stack, name: str, contents: Mapping[str, str]
) -> tuple[str, ...]:
    """Name what makes a service differ from the one that a container was made from.

    Empty where that is not known: the container was not made from ``before``.
    """
    if name not in before.stack.services:
        return ()
    old = _parts(before.stack, name, before.contents)
    if _digest(old) != fingerprint:
        return ()
    new = _parts(stack, name, contents)
    changed = _differing(old["service"], new["service"])
    for part, prefix in (
        ("networks", "networks."),
        ("volumes", "volumes."),
        ("contents", ""),
        ("namespaces", "services."),
    ):
        # one that has come or gone shows in the service's own keys
        both = old[part].keys() & new[part].keys()
        changed += [f"{prefix}{key}" for key in _differing(old[part], new[part]) if key in both]
    return tuple(changed)


def _parts(stack: Stack, name: str, contents: Mapping[str, str]) -> dict[str, dict[str, object]]:
    service = stack.services[name]
    return {
        "service": service.model_dump(mode="json", exclude_defaults=True, exclude=set(LIVE)),
        "networks": {
            key: network_fingerprint(stack.networks[key]) for key in sorted(service.networks)
        },
        "volumes": {key: stack.volumes[key].name for key in named_volumes(stack, service)},
        "contents": {**_used_contents(service, contents)},
        "namespaces": {
            parent: service_fingerprint(stack, parent, contents)
            for parent in namespace_parents(service)
        },
    }


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def network_spec(stack: Stack, key: str) -> NetworkSpec:
    """Say what the network driver has to make for one key of ``networks:``."""
    network = stack.networks[key]
    pool = network.ipam.config[0] if network.ipam.config else None
    return NetworkSpec(
        name=network.name,
        stack=stack.name,
        key=key,
        fingerprint=network_fingerprint(network),
        internal=network.internal,
        subnet=pool.subnet if pool else None,
        gateway=pool.gateway if pool else None,
        ip_range=pool.ip_range if pool else None,
        bridge=network.bridge,
        mtu=network.mtu,
        external=network.external,
        labels=dict(network.labels),
    )


def _used_contents(service: Service, contents: Mapping[str, str]) -> dict[str, str]:
    keys = [f"configs.{mount.source}" for mount in service.configs]
    keys += [f"secrets.{mount.source}" for mount in service.secrets]
    return {key: contents.get(key, "") for key in sorted(keys)}


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
