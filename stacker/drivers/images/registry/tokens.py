"""Asking a token server, as the distribution project describes it.

A name and a password, or nothing, go with a GET; an identity token is exchanged by a POST (RFC 6749
section 6).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp import hdrs
from yarl import URL

from stacker.base.errors import Corrupt
from stacker.drivers.images.registry.answers import raise_for
from stacker.drivers.images.registry.body import Body
from stacker.drivers.images.registry.credentials import IdentityToken, Password
from stacker.drivers.images.registry.transport import Answer, Transport
from stacker.oci.fields import load_object

BODY_LIMIT = 256 * 1024
CLIENT_ID = "stacker"
FORM = "application/x-www-form-urlencoded"

_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)


class TokenServer:
    """One realm, asked for one set of scopes; whether it may see credentials is settled before."""

    def __init__(
        self, transport: Transport, url: URL, *, service: str | None, scopes: Sequence[str]
    ) -> None:
        self._transport = transport
        self._url = url
        self._service = service
        self._scopes = tuple(scopes)

    async def asked(self, login: Password | None, *, lasting: bool) -> Granted:
        """A token for a name and password, or for anyone; `lasting` wants a refresh token too."""
        query = [("scope", scope) for scope in self._scopes]
        if self._service:
            query.append(("service", self._service))
        if lasting and login is not None:
            query += [("account", login.user), ("client_id", CLIENT_ID), ("offline_token", "true")]
        async with self._transport.request(
            self._url.extend_query(query),
            headers={hdrs.ACCEPT: "application/json"},
            authorization=login.basic if login else None,
        ) as answer:
            return await _granted(answer)

    async def refreshed(self, identity: IdentityToken) -> Granted:
        """A token for an identity token."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": identity.token,
            "client_id": CLIENT_ID,
            "scope": " ".join(self._scopes),
        }
        if self._service:
            form["service"] = self._service
        # a redirect would take the token, which is in the body, to a place that nobody has checked
        async with self._transport.request(
            self._url,
            method="POST",
            headers={hdrs.ACCEPT: "application/json"},
            body=Body.of(urlencode(form).encode(), media_type=FORM),
            follow=False,
        ) as answer:
            return await _granted(answer)


async def _granted(answer: Answer) -> Granted:
    if answer.status != 200:
        await raise_for(answer)

    fields = load_object(await answer.body(limit=BODY_LIMIT), what="token", limit=BODY_LIMIT)
    token = fields.text_or_none("token") or fields.text_or_none("access_token") or ""
    if not _TOKEN.fullmatch(token):
        raise Corrupt("it is not one")

    refresh = fields.text_or_none("refresh_token") or ""
    return Granted(access_token=token, refresh_token=refresh if _TOKEN.fullmatch(refresh) else None)
