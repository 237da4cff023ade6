"""`deploy`, and the limits of a service: a value that has two places in a file gets one.

`deploy.resources` and the older keys of the service must agree where both are given, as the
specification demands.
"""

from __future__ import annotations

from typing import Any

from stacker.stack.load.canonical.decode import Table, choice, fields, refuse
from stacker.stack.load.canonical.life import deploy_restart_policy
from stacker.stack.load.canonical.pairs import labels
from stacker.stack.load.canonical.scalars import integer, number, size
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At
from stacker.stack.model import Deploy

MAX_REPLICAS = 1000

_NOT_SWARM = "is not supported"
_LIMITS: Table = {"cpus": number, "memory": size, "pids": integer(-1, 1 << 22)}
_RESERVATIONS: Table = {"cpus": number, "memory": size}
_RESERVATIONS_REFUSED = {
    "devices": "reserving devices is not supported: list them in devices of the service",
    "generic_resources": "generic resources are not supported",
}
_RESOURCES: Table = {
    "limits": lambda at: fields(at, _LIMITS),
    "reservations": lambda at: fields(at, _RESERVATIONS, refused=_RESERVATIONS_REFUSED),
}
DEPLOY: Table = {
    "replicas": integer(0, MAX_REPLICAS),
    "mode": choice("replicated", "global"),
    "labels": labels,
    "resources": lambda at: fields(at, _RESOURCES),
    "restart_policy": deploy_restart_policy,
}
DEPLOY_REFUSED = {
    "update_config": f"update_config {_NOT_SWARM}",
    "rollback_config": f"rollback_config {_NOT_SWARM}",
    "placement": f"placement {_NOT_SWARM}: there is one host",
    "endpoint_mode": f"endpoint_mode {_NOT_SWARM}",
}


def deploy(at: At) -> dict[str, Any]:
    """Still in the form of the file; `fold_deploy` puts each value where it belongs."""
    return fields(at, DEPLOY, refused=DEPLOY_REFUSED)


_PLACES = (
    (("limits", "cpus"), "cpus"),
    (("limits", "memory"), "mem_limit"),
    (("limits", "pids"), "pids_limit"),
    (("reservations", "memory"), "mem_reservation"),
)

SHARES_PER_CPU = 1024
"""The weight of a container without `cpu_shares` is that of one CPU."""


def fold_deploy(at: At, found: dict[str, Any]) -> None:
    """Take `deploy` apart, in place: limits and restart policy move to keys of the service."""
    given: dict[str, Any] | None = found.pop("deploy", None)
    if given is None:
        return

    resources: dict[str, Any] = given.pop("resources", {})
    for (kind, key), place in _PLACES:
        value = resources.get(kind, {}).get(key)
        if value is None:
            continue
        if found.get(place, value) != value:
            refuse(
                at.get("deploy") or at,
                f"resources.{kind}.{key} and {quoted(place)} of the service differ",
            )
        found[place] = value

    reserved = resources.get("reservations", {}).get("cpus")
    if reserved and "cpu_shares" not in found:
        found["cpu_shares"] = max(2, round(reserved * SHARES_PER_CPU))

    policy = given.pop("restart_policy", None)
    if policy is not None:
        found["restart"] = policy
    if given.get("mode") == "global":
        if given.get("replicas", 1) != 1:
            refuse(at.get("deploy") or at, "replicas of a global service: one on the one host")
        given["replicas"] = 1
    found["deploy"] = Deploy(**given)
