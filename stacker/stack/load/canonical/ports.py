"""`ports` and `expose`: ``127.0.0.1:8000-8002:80-82/udp`` and the long form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from stacker.stack.load.canonical.decode import Table, choice, fields, list_of, refuse, text_of
from stacker.stack.load.canonical.scalars import address, checked_address, integer, string
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At, ListNode, MapNode, Scalar
from stacker.stack.model import Port
from stacker.stack.model.values import Protocol

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_PROTOCOLS = ("tcp", "udp")

MAX_PORTS = 20_000
"""Of a whole file: a few bytes of it can name 65,535 ports, again and again."""


def ports(at: At) -> tuple[Port, ...]:
    """All ports; one that is there twice is there once."""
    nested = list_of(_port)(at)
    return tuple(dict.fromkeys(port for several in nested for port in several))


def expose(at: At) -> tuple[str, ...]:
    nested = list_of(_exposed)(at)
    return tuple(dict.fromkeys(one for several in nested for one in several))


def _exposed(at: At) -> tuple[str, ...]:
    text, protocol = _without_protocol(at, text_of(at))
    return tuple(f"{number}/{protocol}" for number in _numbers(at, text))


def _port(at: At) -> tuple[Port, ...]:
    if isinstance(at.node, MapNode):
        return _long(at)
    if isinstance(at.node, ListNode):
        refuse(at, "expected HOST:CONTAINER or a map")

    text, protocol = _without_protocol(at, text_of(at))
    host_ip, published, target = _split(text)
    return _expand(
        at,
        targets=_numbers(at, target),
        published=_numbers(at, published, zero=True) if published else (),
        protocol=protocol,
        host_ip=checked_address(at, host_ip) if host_ip else None,
    )


def _without_protocol(at: At, text: str) -> tuple[str, Protocol]:
    bare, slash, protocol = text.partition("/")
    if not slash:
        return bare, "tcp"
    if protocol.lower() not in _PROTOCOLS:
        refuse(at, f"protocol {quoted(protocol)} is neither tcp nor udp")

    return bare, cast("Protocol", protocol.lower())


def _split(text: str) -> tuple[str, str, str]:
    """Address, host port, container port; the last two colons count, as in ``::1:80:80``."""
    rest, _, target = text.rpartition(":")
    host_ip, colon, published = rest.rpartition(":")
    if not colon:
        return "", rest, target
    if host_ip.startswith("[") and host_ip.endswith("]"):
        host_ip = host_ip[1:-1]

    return host_ip, published, target


def _numbers(at: At, text: str, *, zero: bool = False) -> range:
    match = _RANGE.fullmatch(text)
    if match is None:
        refuse(at, f"expected a port or a range of ports, found {quoted(text)}")

    first = int(match[1])
    last = int(match[2]) if match[2] else first
    if not (0 if zero else 1) <= first <= last <= 65535:
        refuse(at, f"{quoted(text)} is no port from 1 to 65535, nor a range of them")

    return range(first, last + 1)


def _expand(
    at: At, *, targets: Sequence[int], published: Sequence[int], **shared: Any
) -> tuple[Port, ...]:
    if not published or tuple(published[:2]) == (0,):
        return tuple(Port(target=target, **shared) for target in targets)
    if len(targets) == 1 < len(published):
        refuse(
            at,
            "a range of host ports for one container port is not supported:"
            " name one port, or none for any free one",
        )
    if len(targets) != len(published):
        refuse(at, f"{len(published)} host ports for {len(targets)} container ports")

    pairs = zip(targets, published, strict=True)
    return tuple(Port(target=target, published=port, **shared) for target, port in pairs)


_LONG: Table = {
    "target": integer(1, 65535),
    "published": string,
    "host_ip": address,
    "protocol": choice(*_PROTOCOLS, also={"TCP": "tcp", "UDP": "udp"}),
    "mode": choice("ingress", "host"),
    "name": string,
    "app_protocol": string,
}


_EMPTY_SAYS_NOTHING = frozenset({"published", "host_ip"})


def _long(at: At) -> tuple[Port, ...]:
    found = fields(at, _LONG, required=("target",), blank=_EMPTY_SAYS_NOTHING)
    published = found.pop("published", "")
    child = at.get("published") or at
    return _expand(
        at,
        targets=[found.pop("target")],
        published=_numbers(child, published, zero=True) if published else (),
        **found,
    )


def refuse_floods(root: At) -> None:
    """Count the ports of all services, before any range is spelled out."""
    services = root.get("services")
    total = 0
    for _, service in services.entries() if services else ():
        for key in ("ports", "expose"):
            child = service.get(key)
            for item in child.items() if child else ():
                total += _span(item)
                if total > MAX_PORTS:
                    refuse(item, f"more than {MAX_PORTS} ports in one file")


def _span(at: At) -> int:
    """How many ports an item stands for, if it is right."""
    text = at.node.text if isinstance(at.node, Scalar) else ""
    match = _RANGE.fullmatch(text.partition("/")[0].rpartition(":")[2])
    return int(match[2]) - int(match[1]) + 1 if match and match[2] else 1
