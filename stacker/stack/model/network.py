"""A declared network."""

from __future__ import annotations

from collections.abc import Mapping

from stacker.stack.model.values import Model


class IpamPool(Model):
    subnet: str | None = None
    ip_range: str | None = None
    gateway: str | None = None


class Ipam(Model):
    config: tuple[IpamPool, ...] = ()


class Network(Model):
    """A bridge of its own; IPv4 only."""

    name: str
    """The name on the host: `<stack>_<key>`, or what the file says."""
    external: bool = False
    """Made by another stack: never created or removed for this one."""
    internal: bool = False
    """No way to the outside."""
    attachable: bool = False
    ipam: Ipam = Ipam()
    mtu: int | None = None
    """`driver_opts: com.docker.network.driver.mtu`."""
    bridge: str | None = None
    """`driver_opts: com.docker.network.bridge.name`, the name of the host's link."""
    labels: Mapping[str, str] = {}
