"""The top level of a stack file: services, networks, volumes, configs, secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stacker.stack.load.canonical.decode import (
    Decoder,
    Table,
    choice,
    fields,
    list_of,
    map_of,
    refuse,
    text_of,
)
from stacker.stack.load.canonical.draft import Draft
from stacker.stack.load.canonical.files import config, secret
from stacker.stack.load.canonical.pairs import labels
from stacker.stack.load.canonical.ports import refuse_floods
from stacker.stack.load.canonical.refused import TOP_REFUSED
from stacker.stack.load.canonical.scalars import (
    boolean,
    checked_name,
    integer,
    ipv4_address,
    ipv4_network,
    name,
    string,
)
from stacker.stack.load.canonical.service import service
from stacker.stack.load.paths import BadPath, absolute
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At, MapNode
from stacker.stack.model import Config, Ipam, IpamPool, Network, Secret, Volume

MAX_PARTS = 1000
"""Services, and also networks, volumes, configs and secrets, of a whole stack."""


def canonical(root: MapNode) -> Draft:
    """The merged tree as models; raises `Refused` with everything that is wrong with it."""
    at = At(root)
    _refuse_crowds(at)
    refuse_floods(at)
    found = fields(at, TOP, refused=TOP_REFUSED)
    parts: dict[str, Any] = {}
    unnamed: set[tuple[str, str]] = set()
    for kind, model in _MODELS.items():
        parts[kind] = {}
        for key, values in found.get(kind, {}).items():
            if "name" not in values:
                unnamed.add((kind, key))
            parts[kind][key] = model(**{"name": key, **values})

    return Draft(root=root, services=found.get("services", {}), unnamed=frozenset(unnamed), **parts)


_MODELS: dict[str, Callable[..., Any]] = {
    "networks": Network,
    "volumes": Volume,
    "configs": Config,
    "secrets": Secret,
}


def _refuse_crowds(root: At) -> None:
    """A supervisor is not held up by a file that declares more than a host can run."""
    for kind in ("services", *_MODELS):
        child = root.get(kind)
        if child is not None and sum(1 for _ in child.entries()) > MAX_PARTS:
            refuse(child, f"more than {MAX_PARTS} {kind}")


def _only(value: bool, message: str) -> Decoder[bool]:
    def decode(at: At) -> bool:
        if boolean(at) is not value:
            refuse(at, message)

        return value

    return decode


# --- what belongs to another stack ------------------------------------------------------------

_EXTERNAL: Table = {"name": name}


def _external_name(at: At) -> bool | str:
    """True, or the name, in the older form ``external: {name: NAME}``."""
    if isinstance(at.node, MapNode):
        return fields(at, _EXTERNAL, required=("name",))["name"]

    return boolean(at)


def _external(at: At, found: dict[str, Any]) -> dict[str, Any]:
    """What belongs to another stack is named here, not described."""
    if isinstance(found.get("external"), str):
        found = {"name": found["external"], **found, "external": True}
    others = sorted(found.keys() - {"external", "name", "labels"})
    if found.get("external") and others:
        refuse(at, f"external, yet described: {', '.join(others)}")

    return found


# --- networks ---------------------------------------------------------------------------------

_POOL: Table = {"subnet": ipv4_network, "gateway": ipv4_address, "ip_range": ipv4_network}
_POOL_REFUSED = {"aux_addresses": "aux_addresses is not supported"}


def _pool(at: At) -> IpamPool:
    return IpamPool(**fields(at, _POOL, refused=_POOL_REFUSED))


_IPAM: Table = {"driver": choice("default"), "config": list_of(_pool)}


def _ipam(at: At) -> Ipam:
    found = fields(at, _IPAM, refused={"options": "options is not supported"})
    return Ipam(config=found.get("config", ()))


def _link_name(at: At) -> str:
    text = text_of(at)
    # IFNAMSIZ is 16 with the NUL, linux/if.h
    if len(text) > 15 or "/" in text:
        refuse(at, f"{quoted(text)} is not the name of a network link: at most 15 characters")

    return checked_name(at, text)


_NETWORK_OPTIONS: Table = {
    "com.docker.network.driver.mtu": integer(68, 65535),
    "com.docker.network.bridge.name": _link_name,
}
_IPV6 = "is not supported: networks are IPv4 only"
NETWORK: Table = {
    "name": name,
    "driver": choice("bridge", also={"default": "bridge"}),
    "driver_opts": lambda at: fields(at, _NETWORK_OPTIONS),
    "ipam": _ipam,
    "external": _external_name,
    "internal": boolean,
    "attachable": boolean,
    "enable_ipv4": _only(True, "a network without IPv4 is not supported"),
    "enable_ipv6": _only(False, f"enable_ipv6 {_IPV6}"),
    "labels": labels,
}


def _network(at: At) -> dict[str, Any]:
    found = {} if at.is_null else fields(at, NETWORK)
    options: dict[str, Any] = found.pop("driver_opts", {})
    for key in ("driver", "enable_ipv4", "enable_ipv6"):
        found.pop(key, None)
    if "com.docker.network.driver.mtu" in options:
        found["mtu"] = options["com.docker.network.driver.mtu"]
    if "com.docker.network.bridge.name" in options:
        found["bridge"] = options["com.docker.network.bridge.name"]

    return _external(at, found)


# --- volumes ----------------------------------------------------------------------------------

_VOLUME_OPTIONS: Table = {"type": string, "o": string, "device": string}
VOLUME: Table = {
    "name": name,
    "driver": choice("local"),
    "driver_opts": lambda at: fields(at, _VOLUME_OPTIONS),
    "external": _external_name,
    "labels": labels,
}


def _volume(at: At) -> dict[str, Any]:
    found = {} if at.is_null else fields(at, VOLUME)
    found.pop("driver", None)
    options: dict[str, Any] = found.pop("driver_opts", {})
    if "type" in options:
        found["type"] = options["type"]
    if "o" in options:
        found["options"] = options["o"]
    if "device" in options:
        found["device"] = _device(at, options)

    return _external(at, found)


def _device(at: At, options: dict[str, Any]) -> str:
    """A bind has a path as its device; an nfs export or a word such as tmpfs stays as it is."""
    device: str = options["device"]
    if not {"bind", "rbind"} & set(options.get("o", "").split(",")):
        return device

    where = at.get("driver_opts") or at
    try:
        return absolute(where.get("device") or where, device)
    except BadPath as error:
        refuse(where, str(error))


TOP: Table = {
    "name": string,
    "version": lambda at: None,
    "services": map_of(service, key=checked_name),
    "networks": map_of(_network, key=checked_name),
    "volumes": map_of(_volume, key=checked_name),
    "configs": map_of(config, key=checked_name),
    "secrets": map_of(secret, key=checked_name),
}
"""`version` is obsolete and says nothing, whatever it says."""
