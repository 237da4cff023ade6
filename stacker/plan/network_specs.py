"""The words for networks that the planner, the engine and the network driver share."""

from __future__ import annotations

from dataclasses import dataclass, field

from stacker.base.id_range import IdRange


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """A declared bridge network."""

    name: str
    """Unique on the host: ``project_key`` or what the stack file's ``name:`` says."""
    stack: str
    key: str
    """Its key under ``networks:`` in the stack file."""
    fingerprint: str
    internal: bool = False
    """No route out and no published ports; names are answered, nothing is forwarded."""
    subnet: str | None = None
    """``10.1.2.0/24``; None: the driver takes a free one from its pool."""
    gateway: str | None = None
    ip_range: str | None = None
    bridge: str | None = None
    """Interface name, when the stack file chooses it (at most 15 bytes)."""
    mtu: int | None = None
    external: bool = False
    """Made by somebody else: it must exist, and is never removed."""
    labels: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """A container's wish to be on one network."""

    network: str
    """NetworkSpec.name"""
    aliases: tuple[str, ...] = ()
    """Names it answers to on this network, the service's and the container's included."""
    ipv4_address: str | None = None
    mac_address: str | None = None
    interface_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSpec:
    """One published port."""

    target: int
    published: int | None
    """None: the driver takes a free one."""
    protocol: str = "tcp"
    """``tcp`` or ``udp``"""
    host_ip: str = "0.0.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """The network namespace of one container; it lives as long as the container does."""

    container_id: str
    stack: str
    name: str
    """The container's name, for messages."""
    endpoints: tuple[EndpointSpec, ...]
    """The first one gives the default route and the name server; empty: loopback only."""
    ports: tuple[PortSpec, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict[str, str])
    dns: tuple[str, ...] = ()
    """Name servers for what stacker does not know itself; empty: the host's."""
    links: tuple[tuple[str, str], ...] = ()
    """Alias and name: what this container alone calls others."""
    ids: IdRange | None = None
    """Those of the user namespace that owns the network namespace; None: the host's owns it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What a container has on one network."""

    network: str
    interface: str
    ipv4_address: str
    prefix_length: int
    gateway: str
    mac_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort:
    target: int
    published: int
    protocol: str
    host_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A sandbox as it was made, or is observed."""

    container_id: str
    netns: str
    """Path of the pinned namespace, for ``linux.namespaces`` of the bundle."""
    endpoints: tuple[Endpoint, ...]
    ports: tuple[PublishedPort, ...]
    name_servers: tuple[str, ...]
    """For resolv.conf; empty when it has no network."""
    userns: str | None = None
    """Path of the pinned user namespace that owns it; None: the host's does."""
    problem: str | None = None
    """What is missing in reality, e.g. ``veth on shop_front is gone``; None: whole."""
