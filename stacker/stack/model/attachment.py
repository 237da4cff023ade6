"""How a service is reached: its networks, its published ports, its links.

Read by the network driver through the engine, and by the planner.
"""

from __future__ import annotations

from typing import Literal

from stacker.stack.model.values import Model, Protocol


class Port(Model):
    """One published port: a range of the file is already one `Port` for each number."""

    target: int
    published: int | None = None
    """None: the host chooses a free port."""
    host_ip: str | None = None
    """None: every address of the host."""
    protocol: Protocol = "tcp"
    mode: Literal["ingress", "host"] = "ingress"
    """The two are the same thing on one host."""
    name: str | None = None
    app_protocol: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host_ip}]" if self.host_ip and ":" in self.host_ip else self.host_ip
        outside = ":".join(str(part) for part in (host, self.published) if part is not None)
        inside = f"{self.target}/{self.protocol}"
        return f"{outside}->{inside}" if outside else inside


class NetworkAttachment(Model):
    """What a service asks of one of its networks."""

    aliases: tuple[str, ...] = ()
    ipv4_address: str | None = None


class Link(Model):
    """A further name, seen by the linking service only, for another service."""

    service: str
    alias: str
