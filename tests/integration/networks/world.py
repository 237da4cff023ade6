"""A world of network namespaces for the tests: a host of its own, and a neighbour on its LAN.

    lan 192.168.77.2 ---- 192.168.77.1 host (this process) ---- bridges and sandboxes

The neighbour routes everything through the host, also the addresses of containers: it is the
attacker of security.md. Sockets are opened inside a namespace and used from here, so no process
is needed there.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from runtime.linux.mount import MNT_DETACH, MS_BIND, mount, umount2
from runtime.linux.namespaces import CLONE_NEWNET, setns, unshare
from stacker.drivers.networks.networks import Networks
from stacker.plan.network_specs import (
    EndpointSpec,
    NetworkSpec,
    PortSpec,
    Sandbox,
    SandboxSpec,
)

HOST = "192.168.77.1"
HOST_SECOND = "192.168.77.10"
LAN = "192.168.77.2"
PATIENCE_S = 5.0
"""How long an answer may take that is expected, on a busy machine."""
DROPPED_S = 0.35
"""How long is waited for an answer that must not come."""

IP_PKTINFO = 8  # Python 3.11 has no name for it
_OWN = "/proc/thread-self/ns/net"


class KeptFds:
    """An fd store that outlives the driver, as the monitor's does."""

    def __init__(self) -> None:
        self.held: dict[str, list[int]] = {}

    async def keep(self, name: str, fds: Sequence[int]) -> None:
        await self.drop(name)
        self.held[name] = [os.dup(fd) for fd in fds]

    async def fetch(self, name: str) -> list[int]:
        return [os.dup(fd) for fd in self.held.get(name, ())]

    async def names(self) -> list[str]:
        return list(self.held)

    async def drop(self, name: str) -> None:
        for fd in self.held.pop(name, []):
            os.close(fd)

    def lose(self) -> None:
        for fds in self.held.values():
            for fd in fds:
                os.close(fd)
        self.held = {}


@dataclass(frozen=True, kw_only=True)
class World:
    """Where the test plays."""

    directory: Path
    lan: Path
    kept: KeptFds = field(default_factory=KeptFds)

    @asynccontextmanager
    async def driver(self, tag: str = "5ac0de") -> AsyncGenerator[Networks]:
        root = self.directory / tag
        root.mkdir(exist_ok=True)
        async with Networks(root=root, run=root, tag=tag, keep_fds=self.kept) as networks:
            yield networks


@contextmanager
def world(directory: Path) -> Generator[World]:
    """Enter a fresh namespace that plays the host, with a neighbour beside it."""
    lan = directory / "lan"
    lan.touch()
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        mount(_OWN, str(lan), None, MS_BIND)
        run("ip", "link", "set", "lo", "up")
        unshare(CLONE_NEWNET)
        # a new namespace takes the machine's setting over
        write_sysctl("net.ipv4.ip_forward", "0")
        run("ip", "link", "set", "lo", "up")
        with open(lan) as neighbour:
            peer = f"/proc/{os.getpid()}/fd/{neighbour.fileno()}"
            run("ip", "link", "add", "wire", "type", "veth", "peer", "eth0", "netns", peer)
        run("ip", "address", "add", f"{HOST}/24", "dev", "wire")
        run("ip", "address", "add", f"{HOST_SECOND}/24", "dev", "wire")
        run("ip", "link", "set", "wire", "up")
        run("ip", "route", "add", "default", "via", LAN)
        with inside(lan):
            run("ip", "address", "add", f"{LAN}/24", "dev", "eth0")
            run("ip", "link", "set", "eth0", "up")
            run("ip", "route", "add", "default", "via", HOST)
        made = World(directory=directory, lan=lan)
        yield made
        made.kept.lose()
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)
        _unmount_below(directory)


def _unmount_below(directory: Path) -> None:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if point.startswith(f"{directory}/"):
            umount2(point, MNT_DETACH)


@contextmanager
def inside(namespace: Path | None) -> Generator[None]:
    """Be in another namespace for a moment (None: stay)."""
    if namespace is None:
        yield
        return
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(there, CLONE_NEWNET)
        yield
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)


def run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, (command, result.stderr)
    return result.stdout


def sysctl(key: str) -> str:
    return Path("/proc/sys", key.replace(".", "/")).read_text().strip()


def write_sysctl(key: str, value: str) -> None:
    Path("/proc/sys", key.replace(".", "/")).write_text(value)


def refuses(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


def links() -> set[str]:
    return {line.split()[0].split("@")[0] for line in run("ip", "-br", "link").splitlines()}


def endpoint(
    namespace: Path | None, kind: int, bound: tuple[str, int] | None = None
) -> socket.socket:
    """A socket that lives in a namespace."""
    with inside(namespace):
        one = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)
    one.setblocking(False)
    if bound is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(bound)
    return one


@asynccontextmanager
async def speaking(name: str, namespace: Path | None, port: int) -> AsyncGenerator[None]:
    """Answer ``NAME CALLER`` on a TCP and a UDP port of a namespace, whatever the address."""
    listener = endpoint(namespace, socket.SOCK_STREAM, ("0.0.0.0", port))
    listener.listen(16)
    datagrams = endpoint(namespace, socket.SOCK_DGRAM, ("0.0.0.0", port))
    datagrams.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)

    async def accept() -> None:
        while True:
            await anyio.wait_readable(listener)
            connection, (caller, _) = listener.accept()
            with connection:
                connection.send(f"{name} {caller}".encode())

    async def reply() -> None:
        while True:
            await anyio.wait_readable(datagrams)
            _, ancillary, _, caller = datagrams.recvmsg(512, 64)
            datagrams.sendmsg([f"{name} {caller[0]}".encode()], _from_asked(ancillary), 0, caller)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(accept)
        tasks.start_soon(reply)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            listener.close()
            datagrams.close()


def _from_asked(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """As a server with several addresses has to answer: from the one that was asked (ip(7))."""
    # struct in_pktinfo: index 0 lets routing choose the interface, ipi_spec_dst is the source
    return [(level, kind, bytes(4) + data[4:8] + bytes(4)) for level, kind, data in ancillary]


async def call(
    namespace: Path | None,
    address: str,
    port: int,
    protocol: str = "tcp",
    *,
    patience_s: float = PATIENCE_S,
) -> str | None:
    """What answers there; None when nothing does, or it is refused."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with endpoint(namespace, kind) as one:
        with anyio.move_on_after(patience_s):
            try:
                if protocol == "tcp":
                    await _connect(one, address, port)
                else:
                    one.connect((address, port))
                    one.send(b"?")
                await anyio.wait_readable(one)
                return one.recv(512).decode() or None
            except OSError:
                return None
    return None


async def is_shut(namespace: Path | None, address: str, port: int, protocol: str = "tcp") -> bool:
    """Whether nothing answers there."""
    return await call(namespace, address, port, protocol, patience_s=DROPPED_S) is None


async def _connect(one: socket.socket, address: str, port: int) -> None:
    try:
        one.connect((address, port))
    except BlockingIOError:
        await anyio.wait_writable(one)
        number = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number)) from None


async def ask(namespace: Path | None, server: str, wire: bytes) -> bytes | None:
    """Send one datagram to a name server and return its answer."""
    with endpoint(namespace, socket.SOCK_DGRAM) as one:
        one.connect((server, 53))
        one.send(wire)
        with anyio.move_on_after(2):
            await anyio.wait_readable(one)
            return one.recv(4096)
    return None


def network(name: str, **more: object) -> NetworkSpec:
    fields = {"name": name, "stack": "shop", "key": name, "fingerprint": name, **more}
    return NetworkSpec(**fields)  # type: ignore[arg-type]


def container(
    name: str,
    *networks: str,
    ports: Sequence[PortSpec] = (),
    aliases: Sequence[str] = (),
    **more: object,
) -> SandboxSpec:
    endpoints = tuple(EndpointSpec(network=one, aliases=(name, *aliases)) for one in networks)
    return SandboxSpec(
        container_id=name.encode().hex().ljust(64, "0"),
        stack="shop",
        name=name,
        endpoints=endpoints,
        ports=tuple(ports),
        **more,  # type: ignore[arg-type]
    )


def address(sandbox: Sandbox, index: int = 0) -> str:
    return sandbox.endpoints[index].ipv4_address
