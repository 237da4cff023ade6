"""Published ports, reserved on the host by bound sockets that nobody reads from.

A port that somebody else has is found out before anything is made, and nobody can take one that
leads to a container. The sockets do not listen: while no rule leads the port to its container, a
caller is refused, as it should be.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address

from stacker.base.errors import Conflict, Denied, Failed, Invalid, StackerError, Unavailable
from stacker.drivers.networks.port_owner import owner_of
from stacker.plan.network_specs import PortSpec, PublishedPort

_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_SMALLEST_BUFFER = 0
_DNS = 53


def reserve(
    who: str, ports: Sequence[PortSpec], held: Iterable[tuple[str, PublishedPort]]
) -> tuple[tuple[PublishedPort, ...], list[socket.socket]]:
    """Bind every port, or none: StackerError names the one that cannot be had, and its holder.

    ``held`` are the ports of our own containers, with the container's name. Blocking.
    """
    others = list(held)
    published: list[PublishedPort] = []
    sockets: list[socket.socket] = []
    try:
        for port in ports:
            for name, other in others:
                if same(port, other):
                    raise Conflict(f"{who}: {_text(port)} is taken by container {name}")
            one = _bind(who, port)
            sockets.append(one)
            published.append(
                PublishedPort(
                    target=port.target,
                    published=one.getsockname()[1],
                    protocol=port.protocol,
                    host_ip=port.host_ip,
                )
            )
    except BaseException:
        close(sockets)
        raise
    return tuple(published), sockets


def close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        with suppress(OSError):
            one.close()


def _bind(who: str, port: PortSpec) -> socket.socket:
    kind = _KINDS.get(port.protocol)
    if kind is None:
        raise Invalid(f"{who}: {_text(port)}: protocol {port.protocol} cannot be published")
    try:
        IPv4Address(port.host_ip)
    except ValueError as error:
        raise Invalid(f"{who}: {_text(port)}: not an ipv4 address") from error

    one = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)
    try:
        # what arrives while the rules are not there is not to be kept
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALLEST_BUFFER)
        if port.published == _DNS:
            # beside our own name servers, which are bound to the gateways' addresses
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((port.host_ip, port.published or 0))
    except OSError as error:
        one.close()
        raise _translated(who, port, error) from error
    return one


def _translated(who: str, port: PortSpec, error: OSError) -> StackerError:
    text = f"{who}: {_text(port)}"
    match error.errno:
        case errno.EADDRINUSE:
            owner = owner_of(port.protocol, port.host_ip, port.published or 0)
            return Conflict(f"{text} is taken{f' by {owner}' if owner else ''}")
        case errno.EADDRNOTAVAIL:
            return Unavailable(f"{text}: no interface of this host has that address")
        case errno.EACCES | errno.EPERM:
            return Denied(f"{text}: not permitted")
        case _:
            return Failed(f"{text}: {error.strerror}".lower())


def same(port: PortSpec, other: PublishedPort) -> bool:
    """Whether both cannot be published at once."""
    if port.published != other.published or port.protocol != other.protocol:
        return False
    return port.host_ip == other.host_ip or "0.0.0.0" in (port.host_ip, other.host_ip)


def _text(port: PortSpec) -> str:
    return f"port {port.published or 'any'}/{port.protocol} on {port.host_ip}"
