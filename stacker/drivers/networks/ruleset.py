"""What the packet filter must hold, from the networks and the published ports: pure.

One nftables table of family ``ip`` (nft(8)), as data: ``ruleset_text`` prints it, ``encode`` turns
it into netlink messages. The networks have no IPv6 (it is off on every bridge and in every
sandbox), so there is nothing to filter there. The number of rules grows with the networks only;
published ports are elements of two maps.

Who may reach whom:

- a container: the others on its networks, out through the host (not from an internal network),
  published ports through any address of the host, and its gateway;
- the host: every container, and ports published on 127.0.0.1;
- anybody else: published ports, on the addresses they are published on, and nothing more, even
  with a route to the containers' subnet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """A part of a packet, under its name in nft(8)."""

    IIF = "iifname"
    OIF = "oifname"
    SADDR = "ip saddr"
    DADDR = "ip daddr"
    PROTOCOL = "meta l4proto"
    PORT = "th dport"


@dataclass(frozen=True, slots=True)
class Is:
    """The field has this value; an address may be a subnet."""

    field: Field
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class In:
    """The fields, one after the other, are an element of a set."""

    fields: tuple[Field, ...]
    set: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionState:
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Translated:
    """The destination of the packet's connection has been rewritten: a published port."""


@dataclass(frozen=True, slots=True)
class ToThisHost:
    """The destination is any address of the host."""


@dataclass(frozen=True, slots=True)
class TooFast:
    """The field's value has sent more packets than this; a set counts for each."""

    field: Field
    set: str
    per_second: int
    burst: int


Match = Is | In | ConnectionState | Translated | ToThisHost | TooFast


class Verdict(StrEnum):
    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Masquerade:
    """The source becomes the host's address on the interface that the packet leaves by."""


@dataclass(frozen=True, slots=True)
class RewriteDestination:
    """Send it to what a map has for these fields; nothing happens when it has nothing."""

    fields: tuple[Field, ...]
    map: str


Action = Verdict | Masquerade | RewriteDestination


@dataclass(frozen=True, slots=True)
class Rule:
    chain: str
    matches: tuple[Match, ...]
    action: Action


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain: where the kernel calls it, and in which order among others."""

    name: str
    type: str
    hook: str
    priority: int


@dataclass(frozen=True, slots=True)
class Set:
    """A set, or with ``data`` a map."""

    name: str
    key: tuple[Field, ...]
    data: tuple[Field, ...]
    elements: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    room: int | None = None
    """For a set that packets fill: how many elements it may have."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    table: str
    sets: tuple[Set, ...]
    chains: tuple[Chain, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleNetwork:
    """What the rules need to know of a network."""

    bridge: str
    subnet: str
    gateway: str
    internal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePort:
    """A published port and the container it leads to."""

    host_ip: str
    published: int
    protocol: str
    address: str
    target: int


CHAINS = (
    Chain("guard", "filter", "prerouting", -300),
    Chain("to_host", "filter", "input", 0),
    Chain("between", "filter", "forward", 0),
    Chain("publish", "nat", "prerouting", -100),
    Chain("publish_locally", "nat", "output", -100),
    Chain("leave", "nat", "postrouting", 100),
)

ANY_ADDRESS = "0.0.0.0"
_LOOPBACK = "127.0.0.0/8"
_KNOWN = ConnectionState(("established", "related"))
_AT_ADDRESS = RewriteDestination((Field.DADDR, Field.PROTOCOL, Field.PORT), "published_at")
_ANYWHERE = RewriteDestination((Field.PROTOCOL, Field.PORT), "published")
_TARGET = (Field.DADDR, Field.PORT)
_FROM_BRIDGE = In((Field.IIF,), "bridges")
_TO_BRIDGE = In((Field.OIF,), "bridges")
_FROM_ELSEWHERE = In((Field.IIF,), "bridges", negated=True)
_TO_ELSEWHERE = In((Field.OIF,), "bridges", negated=True)
_FROM_INTERNAL = In((Field.IIF,), "internal")
_TO_INTERNAL = In((Field.OIF,), "internal")
_ONE_BRIDGE = In((Field.IIF, Field.OIF), "same_bridge")
_TO_GATEWAY = In((Field.DADDR,), "gateways")
_DNS = In((Field.PROTOCOL, Field.PORT), "dns")
_FLOOD = TooFast(Field.SADDR, "askers", per_second=1000, burst=2000)
_DROP, _ACCEPT, _RETURN = Verdict.DROP, Verdict.ACCEPT, Verdict.RETURN

_FILTER: tuple[tuple[str, tuple[Match, ...], Action], ...] = (
    # route_localnet lets 127.0.0.0/8 through the bridges for the host's own sake: without these
    # two a container could speak to what listens on the host's loopback (CVE-2020-8558)
    ("guard", (_FROM_BRIDGE, Is(Field.DADDR, _LOOPBACK)), _DROP),
    ("guard", (_FROM_BRIDGE, Is(Field.SADDR, _LOOPBACK)), _DROP),
    # the gateways' addresses, and the DNS server there, are for containers and the host itself
    ("to_host", (_TO_GATEWAY, _FROM_ELSEWHERE, Is(Field.IIF, "lo", negated=True)), _DROP),
    # one container's flood of queries must not fill the buffer that all of its network share
    ("to_host", (_FROM_BRIDGE, _TO_GATEWAY, _DNS, _FLOOD), _DROP),
    ("to_host", (_FROM_INTERNAL, _KNOWN), _ACCEPT),
    ("to_host", (_FROM_INTERNAL, _TO_GATEWAY, _DNS), _ACCEPT),
    ("to_host", (_FROM_INTERNAL, _TO_GATEWAY, Is(Field.PROTOCOL, "icmp")), _ACCEPT),
    ("to_host", (_FROM_INTERNAL,), _DROP),
    ("between", (_FROM_ELSEWHERE, _TO_ELSEWHERE), _ACCEPT),
    # before anything that asks for the state: bridged packets come here with br_netfilter on
    ("between", (_ONE_BRIDGE,), _ACCEPT),
    ("between", (_FROM_INTERNAL,), _DROP),
    ("between", (_TO_INTERNAL,), _DROP),
    ("between", (_KNOWN,), _ACCEPT),
    ("between", (_TO_BRIDGE, Translated()), _ACCEPT),
    ("between", (_TO_BRIDGE,), _DROP),
    # what conntrack knows nothing of would leave with the container's own address
    ("between", (ConnectionState(("invalid",)),), _DROP),
    # a packet for 127.0.0.1 from a wire is dropped by routing, but only after this chain
    ("publish", (Is(Field.DADDR, _LOOPBACK),), _RETURN),
    # port 53 may be published; the gateways' name servers are not what is meant then
    ("publish", (_TO_GATEWAY, _DNS), _RETURN),
    ("publish", (), _AT_ADDRESS),
    ("publish", (ToThisHost(),), _ANYWHERE),
    ("publish_locally", (_TO_GATEWAY, _DNS), _RETURN),
    ("publish_locally", (), _AT_ADDRESS),
    ("publish_locally", (ToThisHost(),), _ANYWHERE),
    ("leave", (Is(Field.SADDR, _LOOPBACK), _TO_BRIDGE), Masquerade()),
)


def ruleset(table: str, networks: Sequence[RuleNetwork], ports: Sequence[RulePort]) -> Ruleset:
    """All rules for these networks and ports; equal arguments give equal rules."""
    ordered = sorted(networks, key=lambda network: network.bridge)
    rules = [Rule(*row) for row in _FILTER]
    for network in ordered:
        rules += _leaving(network)
    return Ruleset(table, (*_network_sets(ordered), *_port_maps(ports)), CHAINS, tuple(rules))


def _leaving(network: RuleNetwork) -> list[Rule]:
    source = Is(Field.SADDR, network.subnet)
    out = Is(Field.OIF, network.bridge)
    # a container that calls a published port of its own network: the answer must come back
    # through the host, which knows what was rewritten
    back = Rule("leave", (source, out, Translated()), Masquerade())
    if network.internal:
        return [back]
    away = Is(Field.OIF, network.bridge, negated=True)
    # the host asks its own name server from the gateway's address: that stays as it is
    abroad = Is(Field.OIF, "lo", negated=True)
    return [Rule("leave", (source, away, abroad), Masquerade()), back]


def _network_sets(networks: Sequence[RuleNetwork]) -> tuple[Set, ...]:
    bridges = [network.bridge for network in networks]
    internal = [network.bridge for network in networks if network.internal]
    return (
        _set("bridges", (Field.IIF,), [(name,) for name in bridges]),
        _set("internal", (Field.IIF,), [(name,) for name in internal]),
        _set("same_bridge", (Field.IIF, Field.OIF), [(name, name) for name in bridges]),
        _set("gateways", (Field.DADDR,), [(network.gateway,) for network in networks]),
        _set("dns", (Field.PROTOCOL, Field.PORT), [("tcp", "53"), ("udp", "53")]),
        Set("askers", (Field.SADDR,), (), (), room=4096),
    )


def _set(name: str, key: tuple[Field, ...], elements: Sequence[tuple[str, ...]]) -> Set:
    return Set(name, key, (), tuple((element, ()) for element in elements))


def _port_maps(ports: Sequence[RulePort]) -> tuple[Set, ...]:
    anywhere: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    at_address: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for port in sorted(ports, key=lambda port: (port.protocol, port.published, port.host_ip)):
        target = (port.address, str(port.target))
        if port.host_ip == ANY_ADDRESS:
            anywhere.append(((port.protocol, str(port.published)), target))
        else:
            at_address.append(((port.host_ip, port.protocol, str(port.published)), target))
    return (
        Set("published", _ANYWHERE.fields, _TARGET, tuple(anywhere)),
        Set("published_at", _AT_ADDRESS.fields, _TARGET, tuple(at_address)),
    )
