"""Answering a registry's 401: basic credentials or a bearer token (RFC 6750, RFC 7617).

One `Authorizer` for one piece of work with one registry. Where credentials may go is decided in
`trust`; a token server that may not have them is asked without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import anyio
from aiohttp import hdrs
from yarl import URL

from stacker.base.errors import Corrupt, Denied, Unavailable
from stacker.drivers.images.registry import trust
from stacker.drivers.images.registry.answers import raise_for
from stacker.drivers.images.registry.credentials import Credentials
from stacker.drivers.images.registry.transport import Transport
from stacker.oci.challenge import Challenge
from stacker.oci.fields import load_object

TOKEN_BODY_LIMIT = 256 * 1024

_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}", re.ASCII)


class Authorizer:
    """Holds the Authorization header that the registry has last accepted, if it wants one."""

    def __init__(
        self, transport: Transport, *, scopes: Sequence[str], credentials: Credentials | None
    ) -> None:
        """`scopes` is what is asked of a token server, whatever the registry's challenge says."""
        self._transport = transport
        self._scopes = tuple(scopes)
        self._credentials = credentials
        self._lock = anyio.Lock()
        self.header: str | None = None

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

        return Denied(f"{registry.host} refuses the credentials of {self._credentials.user!r}")

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

        return self._credentials.basic

    async def _token(self, challenge: Challenge, *, registry: URL) -> str:
        realm = challenge.parameters.get("realm", "")
        if "://" not in realm:
            raise Denied(f"{registry.host} names no token server")

        url = self._transport.checked_hop(registry, realm)
        query = [("scope", scope) for scope in self._scopes]
        if service := challenge.parameters.get("service"):
            query.append(("service", service))
        trusted = trust.may_have_credentials(url, registry=registry, home=self._transport.home)
        credentials = self._credentials if trusted else None
        try:
            async with self._transport.request(
                url.extend_query(query),
                headers={hdrs.ACCEPT: "application/json"},
                authorization=credentials.basic if credentials else None,
            ) as answer:
                if answer.status != 200:
                    await raise_for(answer)
                body = await answer.body(limit=TOKEN_BODY_LIMIT)
        except (Denied, Corrupt, Unavailable) as error:
            error.message = f"token from {url.host}: {error.message}"
            if self._credentials is not None and not trusted:
                error.message += f" (asked without the credentials of {registry.host})"
            raise

        fields = load_object(body, what="token", limit=TOKEN_BODY_LIMIT)
        token = fields.text_or_none("token") or fields.text_or_none("access_token") or ""
        if not _TOKEN.fullmatch(token):
            raise Corrupt(f"token from {url.host}: it is not one")

        return token
