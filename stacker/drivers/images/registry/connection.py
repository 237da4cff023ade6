"""Requests to one registry: which scheme it speaks, and the answer to its 401.

Each request is one attempt: `Unavailable` means that another may help, and the loop is the
caller's (`retry`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio
from aiohttp import hdrs
from yarl import URL

from stacker.base.errors import Corrupt, Unavailable
from stacker.drivers.images.registry import trust
from stacker.drivers.images.registry.auth import Authorizer
from stacker.drivers.images.registry.body import Body
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.images.registry.transport import Answer, Transport
from stacker.oci import challenge


class Connection:
    """One registry with one set of scopes, over an open transport."""

    def __init__(self, transport: Transport, authorizer: Authorizer) -> None:
        self._transport = transport
        self._authorizer = authorizer
        self._base: URL | None = None
        self._base_lock = anyio.Lock()

    @property
    def domain(self) -> str:
        """As references write it."""
        return self._transport.home.domain

    @property
    def patience(self) -> Patience:
        return self._transport.patience

    async def url(self, path: str, query: Mapping[str, str] | None = None) -> URL:
        """An address below the registry's `/v2/`."""
        # the grammar of references and digests leaves nothing that needs an escape in a path
        url = (await self._base_url()).with_path(f"/v2/{path}", encoded=True)
        return url.with_query(query) if query else url

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        answer_s: float | None = None,
    ) -> AsyncGenerator[Answer]:
        """One request, and one more with new credentials when the registry refuses the first.

        Another host than the registry's own gets no credentials, and its 401 no answer.
        """
        base = await self._base_url()
        own = trust.same_origin(url, base)
        for last in (False, True):
            header = self._authorizer.header if own else None
            async with self._transport.request(
                url,
                method=method,
                headers=headers,
                authorization=header,
                body=body,
                answer_s=answer_s,
            ) as answer:
                if answer.status != 401 or not own or not trust.same_origin(answer.url, url):
                    yield answer
                    return
                if last:
                    raise self._authorizer.refusal(base)

                challenges = challenge.parse_all(answer.headers(hdrs.WWW_AUTHENTICATE))
            await self._authorizer.answer(challenges, registry=base, refused=header)

    def location(self, answer: Answer, named: str | None) -> URL:
        """Where an answer sends us, if one may go there."""
        if not named:
            raise Corrupt(f"{trust.shown(answer.url)} does not say where to go on")

        return self._transport.checked_hop(answer.url, named)

    async def _base_url(self) -> URL:
        """https, or http where that is allowed and the other side does not speak TLS."""
        async with self._base_lock:
            if self._base is None:
                home = self._transport.home
                base = home.url("https")
                if home.plain_allowed and not await self._speaks_tls(base):
                    base = home.url("http")
                self._base = base
            return self._base

    async def _speaks_tls(self, base: URL) -> bool:
        try:
            async with self._transport.request(base.with_path("/v2/")):
                return True
        except Unavailable:
            return False
