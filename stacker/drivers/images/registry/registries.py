"""How registries are reached: where transport, credentials and scopes come together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from stacker.drivers.images.registry import proxies, tls, trust
from stacker.drivers.images.registry.auth import Authorizer
from stacker.drivers.images.registry.configuration import ConfigurationFile
from stacker.drivers.images.registry.connection import Connection
from stacker.drivers.images.registry.credentials import Credentials, IdentityToken, Password
from stacker.drivers.images.registry.keychain import Keychain
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.images.registry.repository import Repository, check_login
from stacker.drivers.images.registry.sources import Sources
from stacker.drivers.images.registry.transport import Transport
from stacker.drivers.images.registry.trust import Home
from stacker.drivers.images.registry.uploads import CHUNK
from stacker.oci.reference import Reference

PULL = "pull"
PUSH = "pull,push"
DELETE = "pull,push,delete"
"""Actions of a token's scope, as the distribution project names them."""

REQUESTS = 8
"""Blobs at once with one registry, all pulls and pushes together."""

CATALOG_SCOPE = "registry:catalog:*"


class Registries:
    """The settings of all registries; opens what is asked for."""

    def __init__(
        self,
        *,
        keychain: Keychain,
        file: ConfigurationFile | None = None,
        insecure: Iterable[str] = (),
        certificate_directories: Sequence[Path] = tls.DEFAULT_DIRECTORIES,
        realms: Mapping[str, frozenset[str]] = trust.OWN_REALMS,
        patience: Patience | None = None,
        chunk: int = CHUNK,
    ) -> None:
        """`insecure` are `host[:port]` as references write them: plain HTTP is allowed there.

        `realms` are hosts of token servers that may have a registry's credentials; `chunk` is how
        many bytes of a blob are sent in one request.
        """
        self.patience = patience or Patience()
        self.chunk = chunk
        self._slots: dict[str, tuple[int, anyio.Semaphore]] = {}
        self._insecure = frozenset(insecure)
        self._keychain = keychain
        self._file = file or ConfigurationFile(None)
        self._certificate_directories = tuple(certificate_directories)
        self._realms = realms

    def location(self, reference: Reference) -> Reference:
        """Where a repository is really found."""
        return self._file.current().location(reference)

    @asynccontextmanager
    async def repository(
        self,
        reference: Reference,
        *,
        actions: str = PULL,
        also_pull: Sequence[str] = (),
        stack: str | None = None,
    ) -> AsyncGenerator[Repository]:
        """Open a repository; `also_pull` are paths of others that blobs are mounted from, `stack`
        is whose logins come first."""
        place = self.location(reference)
        async with self._repository(place, actions, also_pull, stack=stack) as repository:
            yield repository

    def slots(self, repository: Repository) -> anyio.Semaphore:
        """What bounds the blobs under way with a registry, whoever wants them."""
        domain = repository.connection.domain
        wanted = self._file.current().host(domain).requests or REQUESTS
        number, slots = self._slots.get(domain, (0, anyio.Semaphore(0)))
        if number != wanted:
            # who holds one of the old ones gives it back to those
            slots = anyio.Semaphore(wanted)
            self._slots[domain] = wanted, slots
        return slots

    @asynccontextmanager
    async def sources(
        self, reference: Reference, *, stack: str | None = None
    ) -> AsyncGenerator[Sources]:
        """Open what a pull asks: the mirrors of a repository, and the repository itself.

        `stack` is whose logins come first.
        """
        async with AsyncExitStack() as opened:
            yield Sources(
                [
                    partial(opened.enter_async_context, self._repository(place, PULL, stack=stack))
                    for place in self._file.current().sources(reference)
                ],
                slots=self.slots,
            )

    @asynccontextmanager
    async def _repository(
        self,
        reference: Reference,
        actions: str,
        also_pull: Sequence[str] = (),
        *,
        stack: str | None = None,
    ) -> AsyncGenerator[Repository]:
        found = await self._keychain.find(domain=reference.domain, path=reference.path, stack=stack)
        scopes = [
            f"repository:{reference.path}:{actions}",
            *(f"repository:{path}:{PULL}" for path in also_pull),
        ]
        async with self._connection(reference.domain, scopes=scopes, found=found) as connection:
            yield Repository(connection, path=reference.path)

    @asynccontextmanager
    async def registry(self, domain: str) -> AsyncGenerator[Connection]:
        """Open a registry as such, for its catalog."""
        found = await self._keychain.find(domain=domain)
        async with self._connection(domain, scopes=(CATALOG_SCOPE,), found=found) as connection:
            yield connection

    async def verified(self, domain: str, login: Password) -> Password | IdentityToken:
        """Log in: what is to be kept of it. Raises Denied where the registry refuses it."""
        async with self._transport(domain) as transport:
            authorizer = Authorizer(transport, scopes=(), credentials=login, login=True)
            await check_login(Connection(transport, authorizer))
            token = authorizer.refresh_token
        return IdentityToken(token=token) if token else login

    @asynccontextmanager
    async def _connection(
        self, domain: str, *, scopes: Sequence[str], found: Credentials | None
    ) -> AsyncGenerator[Connection]:
        async with self._transport(domain) as transport:
            yield Connection(transport, Authorizer(transport, scopes=scopes, credentials=found))

    def _transport(self, domain: str) -> Transport:
        host = self._file.current().host(domain)
        plain = {domain} if host.plain_http else frozenset[str]()
        own = {domain: self._realms.get(domain, frozenset[str]()) | host.token_servers}
        more: list[tls.Part] = [tls.Authority(host.ca)] if host.ca else []
        if host.certificate and host.key:
            more.append(tls.Own(host.certificate, host.key))
        return Transport(
            Home.of(domain, insecure=self._insecure | plain, realms=own),
            patience=self.patience,
            tls=tls.contexts_for(domain, self._certificate_directories, more=more),
            proxy=proxies.chooser(host),
        )
