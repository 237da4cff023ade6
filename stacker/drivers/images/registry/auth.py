"""Answering a registry's 401: basic credentials or a bearer token (RFC 6750, RFC 7617).

One `Authorizer` for one piece of work with one registry. Where credentials may go is decided in
`trust`; a token server that may not have them is asked without, or for a login not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import anyio
from yarl import URL

from stacker.base.errors import Denied, StackerError
from stacker.drivers.images.registry import tokens, trust
from stacker.drivers.images.registry.credentials import (
    Credentials,
    IdentityToken,
    Password,
    RegistryToken,
)
from stacker.drivers.images.registry.tokens import TokenServer
from stacker.drivers.images.registry.transport import Transport
from stacker.oci.challenge import Challenge


class Authorizer:
    """Holds the Authorization header that the registry has last accepted, if it wants one."""

    def __init__(
        self,
        transport: Transport,
        *,
        scopes: Sequence[str],
        credentials: Credentials | None,
        login: bool = False,
    ) -> None:
        """`scopes` is what is asked of a token server, whatever the registry's challenge says: what
        is needed first, and then what may be refused.

        With `login` the credentials are being tried: nothing is asked without them, and a token
        server may give a refresh token in their place.
        """
        self._transport = transport
        self._scopes = tuple(scopes)
        self._credentials = credentials
        self._login = login
        self._lock = anyio.Lock()
        self.header: str | None = None
        self.refresh_token: str | None = None
        """What a token server has given to a login."""

    async def answer(
        self, challenges: Sequence[Challenge], *, registry: URL, refused: str | None
    ) -> None:
        """Get another header than the refused one, or raise Denied.

        Requests that run side by side are refused together; the first gets the new header for all.
        """
        async with self._lock:
            if self.header == refused:
                self.header = await self._new_header(challenges, registry=registry)

    def refusal(self, registry: URL) -> Denied:
        """The error for a registry that does not accept what it was answered."""
        if self._credentials is None:
            return Denied(f"{registry.host} denies access to anyone without credentials for it")

        return Denied(f"{registry.host} refuses the credentials of {self._credentials}")

    async def _new_header(self, challenges: Sequence[Challenge], *, registry: URL) -> str:
        by_scheme = {challenge.scheme: challenge for challenge in reversed(challenges)}
        bearer = by_scheme.get("bearer")
        if bearer is not None:
            return f"Bearer {await self._token(bearer, registry=registry)}"
        if "basic" not in by_scheme:
            offered = ", ".join(sorted(by_scheme))[:100] or "nothing"
            raise Denied(f"{registry.host} asks for {offered}, not for basic or bearer")
        if self._credentials is None:
            raise Denied(f"{registry.host} wants credentials, and there are none for it")
        if not isinstance(self._credentials, Password):
            raise Denied(f"{registry.host} wants a password, and there is only {self._credentials}")

        return self._credentials.basic

    async def _token(self, challenge: Challenge, *, registry: URL) -> str:
        credentials = self._credentials
        if isinstance(credentials, RegistryToken):
            return credentials.token

        realm = challenge.parameters.get("realm", "")
        if "://" not in realm:
            raise Denied(f"{registry.host} names no token server")

        url = self._transport.checked_hop(registry, realm)
        trusted = trust.may_have_credentials(url, registry=registry, home=self._transport.home)
        if self._login and not trusted:
            raise Denied(
                f"{registry.host} leaves logins to {url.host}, which is not known to belong to it"
            )

        server = partial(
            TokenServer, self._transport, url, service=challenge.parameters.get("service")
        )
        used = credentials if trusted else None
        try:
            try:
                granted = await self._granted(server(scopes=self._scopes), used)
            except Denied:
                if len(self._scopes) < 2:
                    raise
                granted = await self._granted(server(scopes=self._scopes[:1]), used)
        except StackerError as error:
            error.message = f"token from {url.host}: {error.message}"
            if credentials is not None and not trusted:
                error.message += f" (asked without the credentials of {registry.host})"
            raise

        self.refresh_token = granted.refresh_token
        return granted.access_token

    async def _granted(
        self, server: TokenServer, credentials: Password | IdentityToken | None
    ) -> tokens.Granted:
        if isinstance(credentials, IdentityToken):
            return await server.refreshed(credentials)
        return await server.asked(credentials, lasting=self._login)
