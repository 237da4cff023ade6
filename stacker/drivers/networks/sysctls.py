"""Kernel parameters below ``/proc/sys/net``; they are those of the calling thread's namespace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stacker.base.errors import Failed, Invalid

_ROOT = Path("/proc/sys")
_FORWARD = "net.ipv4.ip_forward"

SANDBOX = {
    # no IPv6 on interfaces that are made from now on; ::1 on lo stays
    "net.ipv6.conf.default.disable_ipv6": "1",
}


def bridge(interface: str) -> dict[str, str]:
    """For the host's side of a network: no IPv6, so nothing is reached that no rule knows of."""
    return {f"net.ipv6.conf.{interface}.disable_ipv6": "1"}


def loopback_ports(interface: str) -> dict[str, str]:
    """Let the host reach containers on this network from 127.0.0.1; the rules guard the rest."""
    return {f"net.ipv4.conf.{interface}.route_localnet": "1"}


def forwarding() -> bool:
    return read(_FORWARD) != "0"


def set_forwarding(on: bool) -> None:
    write("host", {_FORWARD: str(int(on))})


def read(key: str) -> str:
    return _path(key).read_text().strip()


def write(whose: str, values: Mapping[str, str]) -> None:
    """Write what differs; a parameter that the kernel does not have is left out for IPv6 only."""
    for key, value in values.items():
        try:
            _path(key).write_text(value)
        except FileNotFoundError as error:
            if key.startswith("net.ipv6."):
                continue  # a kernel without IPv6
            raise Invalid(f"{whose}: sysctl {key} does not exist") from error
        except OSError as error:
            raise Failed(f"{whose}: sysctl {key}={value}: {error.strerror}".lower()) from error


def _path(key: str) -> Path:
    # sysctl(8): a slash in a name stands for a dot in an interface's name
    return _ROOT / key.replace(".", "\0").replace("/", ".").replace("\0", "/")
