"""Name resolution for one pull: decides on the addresses that are dialled, not on names.

A name that resolves to a private address is how a public registry's redirect reaches a cloud's
metadata server; a name that resolves to loopback must not count as a loopback registry
(CVE-2026-92543). Only what passes here is connected to.
"""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from stacker.base.errors import Denied
from stacker.drivers.images.registry import trust
from stacker.drivers.images.registry.trust import Home


class GuardedResolver(AbstractResolver):
    def __init__(self, home: Home, *, inner: AbstractResolver | None = None) -> None:
        """`inner` does the resolving; the system's, unless given."""
        self._inner = inner or ThreadedResolver()
        self.exempt: set[str] = set()
        """Proxies: the user has named them, not a registry."""
        self._home_host = home.url("https").host
        address = trust.literal(self._home_host or "")
        private = address is not None and not trust.is_public(address)
        self._home_is_private: bool | None = True if private else None

    @property
    def home_is_public(self) -> bool:
        """Until the registry's own name has been resolved, it counts as public."""
        return not self._home_is_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        if host in self.exempt:
            return results
        if host == "localhost":
            return [result for result in results if trust.is_loopback(result["host"])]

        public = [result for result in results if _is_public(result)]
        if host == self._home_host:
            self._home_is_private = not public
            return results
        if self.home_is_public and not public:
            raise OSError(f"{host} has only private addresses") from Denied(
                f"{self._home_host} sends us to {host}, which has only private addresses"
            )

        return public if self.home_is_public else results

    async def close(self) -> None:
        await self._inner.close()


def _is_public(result: ResolveResult) -> bool:
    address = trust.literal(result["host"])
    return address is not None and trust.is_public(address)
