"""The name servers' life: sockets opened once per network, kept, taken over after a restart."""

from __future__ import annotations

import errno
import socket

from anyio.abc import TaskGroup

from stacker.base.errors import Conflict, Failed
from stacker.drivers.networks import names
from stacker.drivers.networks.dns_server import PORT, DnsServer, open_sockets
from stacker.drivers.networks.keep import KeepFds
from stacker.drivers.networks.memory import Memory
from stacker.drivers.networks.port_owner import owner_of
from stacker.drivers.networks.records import NetworkRecord
from stacker.drivers.networks.resolvers import HostResolvers


class NameService:
    """One name server for each network."""

    def __init__(
        self, tasks: TaskGroup, memory: Memory, keep_fds: KeepFds, host: HostResolvers
    ) -> None:
        self._server = DnsServer(tasks, memory.names, host.servers)
        self._keep_fds = keep_fds

    async def start(self, record: NetworkRecord) -> None:
        """Answer on the network's gateway; idempotent."""
        name = record.spec.name
        if self._server.serves(name):
            return

        kept = [socket.socket(fileno=fd) for fd in await self._keep_fds.fetch(self._key(name))]
        if [_address(one) for one in kept] == [record.gateway, record.gateway]:
            for one in kept:
                one.setblocking(False)
            self._server.serve(name, kept)
            return

        for one in kept:
            one.close()
        opened = self._open(record)
        await self._keep_fds.keep(self._key(name), [one.fileno() for one in opened])
        self._server.serve(name, opened)

    async def stop(self, network: str) -> None:
        self._server.stop(network)
        await self._keep_fds.drop(self._key(network))

    def _open(self, record: NetworkRecord) -> list[socket.socket]:
        where = f"network {record.spec.name}: name server on {record.gateway}:{PORT}"
        try:
            return open_sockets(record.gateway)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                owner = owner_of("udp", record.gateway, PORT) or owner_of(
                    "tcp", record.gateway, PORT
                )
                raise Conflict(f"{where}: taken{f' by {owner}' if owner else ''}") from error
            raise Failed(f"{where}: {error.strerror}".lower()) from error

    def _key(self, network: str) -> str:
        return names.dns_sockets(network)


def _address(one: socket.socket) -> str:
    return one.getsockname()[0]
