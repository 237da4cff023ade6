"""How registries are reached: where transport, credentials and scopes come together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from stacker.drivers.images.registry import credentials, tls, trust
from stacker.drivers.images.registry.auth import Authorizer
from stacker.drivers.images.registry.connection import Connection
from stacker.drivers.images.registry.credentials import Credentials
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.images.registry.repository import Repository
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
        auth_files: Sequence[Path] = (),
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
        self._auth_files = tuple(auth_files)
        self._certificate_directories = tuple(certificate_directories)
        self._realms = realms

    @asynccontextmanager
    async def repository(
        self, reference: Reference, *, actions: str = PULL, also_pull: Sequence[str] = ()
    ) -> AsyncGenerator[Repository]:
        """Open a repository; `also_pull` are paths of others that blobs are mounted from."""
        found = credentials.find(self._auth_files, domain=reference.domain, path=reference.path)
        scopes = [
            f"repository:{reference.path}:{actions}",
            *(f"repository:{path}:{PULL}" for path in also_pull),
        ]
        async with self._connection(reference.domain, scopes=scopes, found=found) as connection:
            yield Repository(connection, path=reference.path)

    @asynccontextmanager
    async def registry(
        self, domain: str, *, login: Credentials | None = None
    ) -> AsyncGenerator[Connection]:
        """Open a registry as such: for its catalog, or with a `login` to be tried."""
        found = login or credentials.find(self._auth_files, domain=domain, path="")
        scopes = () if login else (CATALOG_SCOPE,)
        async with self._connection(domain, scopes=scopes, found=found) as connection:
            yield connection

    @asynccontextmanager
    async def _connection(
        self, domain: str, *, scopes: Sequence[str], found: Credentials | None
    ) -> AsyncGenerator[Connection]:
        home = Home.of(domain, insecure=self._insecure, realms=self._realms)
        context = tls.context_for(domain, self._certificate_directories)
        async with Transport(home, patience=self.patience, tls=context) as transport:
            yield Connection(transport, Authorizer(transport, scopes=scopes, credentials=found))
