"""How registries are reached: where transport, credentials and scopes come together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from stacker.drivers.images.registry import tls, trust
from stacker.drivers.images.registry.auth import Authorizer
from stacker.drivers.images.registry.connection import Connection
from stacker.drivers.images.registry.credentials import Credentials, IdentityToken, Password
from stacker.drivers.images.registry.keychain import Keychain
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.images.registry.repository import Repository, check_login
from stacker.drivers.images.registry.transport import Transport
from stacker.drivers.images.registry.trust import Home
from stacker.drivers.images.registry.uploads import CHUNK
from stacker.oci.reference import Reference

PULL = "pull"
PUSH = "pull,push"
DELETE = "pull,push,delete"
"""Actions of a token's scope, as the distribution project names them."""

CATALOG_SCOPE = "registry:catalog:*"


class Registries:
    """The settings of all registries; opens what is asked for."""

    def __init__(
        self,
        *,
        insecure: Iterable[str] = (),
        keychain: Keychain,
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
        self._insecure = frozenset(insecure)
        self._keychain = keychain
        self._certificate_directories = tuple(certificate_directories)
        self._realms = realms

    @asynccontextmanager
    async def repository(
        self, reference: Reference, *, actions: str = PULL, also_pull: Sequence[str] = ()
    ) -> AsyncGenerator[Repository]:
        """Open a repository; `also_pull` are paths of others that blobs are mounted from."""
        found = await self._keychain.find(domain=reference.domain, path=reference.path)
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
        home = Home.of(domain, insecure=self._insecure, realms=self._realms)
        context = tls.context_for(domain, self._certificate_directories)
        return Transport(home, patience=self.patience, tls=context)
