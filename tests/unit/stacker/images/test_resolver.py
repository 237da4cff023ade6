"""I5: it is the dialled address that counts; names may resolve to anything."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from stacker.base.errors import Denied
from stacker.drivers.images.registry.resolver import GuardedResolver
from stacker.drivers.images.registry.trust import Home

NAMES = {
    "registry.example.com": ["93.184.216.34"],
    "registry.lan": ["192.168.1.5", "fd00::5"],
    "split.example.com": ["127.0.0.1", "93.184.216.34"],
    "blobs.example.com": ["93.184.216.35"],
    "metadata.example.com": ["169.254.169.254"],
    "loopback.example.com": ["127.0.0.1", "::1"],
    "mapped.example.com": ["::ffff:10.0.0.1"],
    "inside.lan": ["10.0.0.9"],
    "localhost": ["127.0.0.1", "93.184.216.34"],
}


class Names(AbstractResolver):
    """Answers from a table, as a resolver that a stranger controls."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in NAMES[host]
        ]

    async def close(self) -> None:
        pass


async def dialled(resolver: GuardedResolver, host: str) -> list[str]:
    return [result["host"] for result in await resolver.resolve(host, 443)]


async def test_public_registry() -> None:
    resolver = GuardedResolver(Home.of("registry.example.com"), inner=Names())
    assert await dialled(resolver, "registry.example.com") == ["93.184.216.34"]
    assert resolver.home_is_public
    assert await dialled(resolver, "blobs.example.com") == ["93.184.216.35"]
    # of a name with both kinds only the public address is dialled
    assert await dialled(resolver, "split.example.com") == ["93.184.216.34"]
    for host in ("metadata", "loopback", "mapped"):
        with pytest.raises(OSError, match="only private addresses") as refused:
            await dialled(resolver, f"{host}.example.com")
        assert isinstance(refused.value.__cause__, Denied)


async def test_private_registry_may_send_us_to_its_neighbours() -> None:
    resolver = GuardedResolver(Home.of("registry.lan"), inner=Names())
    assert resolver.home_is_public  # until it is known better
    assert await dialled(resolver, "registry.lan") == ["192.168.1.5", "fd00::5"]
    assert not resolver.home_is_public
    assert await dialled(resolver, "inside.lan") == ["10.0.0.9"]


async def test_a_name_that_resolves_to_loopback_is_no_loopback_registry() -> None:
    home = Home.of("loopback.example.com")
    assert not home.plain_allowed
    assert not Home.of("split.example.com").plain_allowed


async def test_localhost_is_loopback_whatever_the_resolver_says() -> None:
    resolver = GuardedResolver(Home.of("localhost:5000"), inner=Names())
    assert await dialled(resolver, "localhost") == ["127.0.0.1"]
