"""Which process holds a port: for the message of a conflict, as far as /proc tells (proc(5))."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

_ANY = {"0.0.0.0", "::"}
_PROC = Path("/proc")


def owner_of(protocol: str, host_ip: str, port: int) -> str | None:
    """Return ``nginx (pid 812)``, or None when nobody can be named."""
    inodes = _inodes(protocol, host_ip, port)
    if not inodes:
        return None

    for process in _PROC.iterdir():
        if process.name.isdigit() and _holds(process, inodes):
            try:
                name = (process / "comm").read_text(errors="replace").strip()
            except OSError:
                continue
            return f"{name} (pid {process.name})"
    return None


def _inodes(protocol: str, host_ip: str, port: int) -> set[str]:
    """Inodes of the sockets that are bound to the port on an address that clashes."""
    found: set[str] = set()
    for table in (protocol, f"{protocol}6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            address, local_port = _local(columns[1])
            clash = host_ip in _ANY or address in _ANY or address == host_ip
            if local_port == port and clash:
                found.add(f"socket:[{columns[9]}]")
    return found


def _local(column: str) -> tuple[str, int]:
    """``0100007F:1F90``: the address in words of the machine's byte order, the port in hex."""
    address, port = column.split(":")
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, packed).removeprefix("::ffff:"), int(port, 16)


def _holds(process: Path, inodes: set[str]) -> bool:
    directory = process / "fd"
    try:
        names = os.listdir(directory)
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(directory / name) in inodes:
                return True
        except OSError:
            continue
    return False
