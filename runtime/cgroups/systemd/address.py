"""Where systemd is to be spoken to: paths of sockets, in the order to try them. Pure.

systemd's own socket comes first where there is no address in the environment: it works before
the bus does, and takes nobody's detour (systemd: src/core/dbus.c). A user's manager is asked by
a runtime that is not root on the host (user namespaces count the host's uid).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 4096


class Endpoint:
    """A socket; `is_bus` False: systemd itself is at the other end, and there are no names."""

    __slots__ = ("is_bus", "path")

    def __init__(self, path: str, *, is_bus: bool) -> None:
        self.path = path
        self.is_bus = is_bus

    def __repr__(self) -> str:
        return f"Endpoint({self.path!r}, is_bus={self.is_bus})"


def endpoints(environment: Mapping[str, str], uid: int) -> list[Endpoint]:
    """`uid` is the caller's on the host."""
    if uid == 0:
        named, own = "DBUS_SYSTEM_BUS_ADDRESS", "/run"
        bus = "/run/dbus/system_bus_socket"
    else:
        named = "DBUS_SESSION_BUS_ADDRESS"
        own = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
        bus = f"{own}/bus"
    from_environment = paths_of(environment.get(named, ""))
    if from_environment:
        return [Endpoint(path, is_bus=True) for path in from_environment]
    return [Endpoint(f"{own}/systemd/private", is_bus=False), Endpoint(bus, is_bus=True)]


def paths_of(address: str) -> list[str]:
    """`unix:path=/run/a,guid=1;unix:path=/run/b` as its paths; other transports are left out."""
    paths: list[str] = []
    for one in address[:_LONGEST].split(";"):
        transport, _, rest = one.partition(":")
        if transport != "unix":
            continue
        for pair in rest.split(","):
            key, _, value = pair.partition("=")
            if key == "path" and value.startswith("/"):
                paths.append(_unescape(value))
    return paths


def host_uid(uid: int, uid_map: str) -> int:
    """Who a user of this namespace is outside it (user_namespaces(7), uid_map)."""
    for line in uid_map.splitlines():
        inside, outside, length = (int(word) for word in line.split())
        if inside <= uid < inside + length:
            return outside + uid - inside
    return uid


def _unescape(value: str) -> str:
    """`%2d` is a byte in hexadecimal."""
    first, *rest = value.split("%")
    data = first.encode("utf-8", "surrogateescape")
    for part in rest:
        code, tail = part[:2], part[2:]
        if len(code) != 2 or set(code.lower()) - set("0123456789abcdef"):
            return value
        data += bytes((int(code, 16),)) + tail.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "surrogateescape")
