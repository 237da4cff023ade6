"""HTTP to registries: one session for one pull, every hop checked, every body bounded.

`auth` and `registry` call it. Nothing of aiohttp leaves this file: its exceptions become
`Unavailable` (another try may help), `Denied` or `Corrupt`. Redirects are followed here and not by
the library, since each needs the checks of `trust`, and `Authorization` goes to the first origin
only.
"""

from __future__ import annotations

import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Mapping,
)
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import hdrs, http_exceptions
from multidict import CIMultiDict
from yarl import URL

from stacker.base import clock
from stacker.base.errors import Corrupt, Denied, StackerError, Unavailable
from stacker.drivers.images.registry import proxies, trust
from stacker.drivers.images.registry.body import Body, Sending
from stacker.drivers.images.registry.patience import Floor, Patience
from stacker.drivers.images.registry.resolver import GuardedResolver
from stacker.drivers.images.registry.tls import Contexts
from stacker.drivers.images.registry.trust import Home

REDIRECT_LIMIT = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SAME_METHOD = frozenset({307, 308})
"""Those after which more than a look is repeated (RFC 9110 15.4)."""
ERROR_BODY_LIMIT = 64 * 1024
BUFFER = 1024 * 1024
"""aiohttp reads ahead up to twice this while a piece is worked on in a thread."""
CONNECTIONS_PER_HOST = 8
USER_AGENT = "stacker"


class Answer:
    """A response whose body has not been read yet."""

    def __init__(self, response: aiohttp.ClientResponse, patience: Patience) -> None:
        self._response = response
        self._patience = patience
        self.status = response.status
        self.url = response.url

    def header(self, name: str) -> str | None:
        return self._response.headers.get(name)

    def headers(self, name: str) -> list[str]:
        return self._response.headers.getall(name, [])

    @property
    def length(self) -> int | None:
        return self._response.content_length

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; a server that drips is given up."""
        floor = Floor(self._patience)
        while True:
            before = clock.monotonic()
            with translated(self.url):
                piece = await self._response.content.readany()
            if not piece:
                return

            floor.add(len(piece), waited_s=clock.monotonic() - before)
            yield piece

    async def body(self, *, limit: int) -> bytes:
        """The whole body, or Corrupt when it is longer."""
        if (self.length or 0) > limit:
            raise Corrupt(f"the answer has {self.length} bytes, more than {limit}")

        read = bytearray()
        async for piece in self.pieces():
            read += piece
            if len(read) > limit:
                raise Corrupt(f"the answer has more than {limit} bytes")

        return bytes(read)

    async def error_body(self) -> bytes:
        """What an error says, as far as it is short; empty when it cannot be read."""
        try:
            return await self.body(limit=ERROR_BODY_LIMIT)
        except StackerError:
            return b""


class Transport:
    """`async with` it. Requests go to one registry, and to where that one sends us."""

    def __init__(
        self,
        home: Home,
        *,
        patience: Patience,
        tls: Contexts,
        proxy: proxies.Choose = lambda _: None,
    ) -> None:
        self.home = home
        self._proxy = proxy
        self.patience = patience
        self._tls = tls
        self._resolver = GuardedResolver(home)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit_per_host=CONNECTIONS_PER_HOST, resolver=self._resolver
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout(self.patience.answer_s),
            headers={hdrs.USER_AGENT: USER_AGENT, hdrs.ACCEPT_ENCODING: "identity"},
            auto_decompress=False,
            trust_env=False,
            read_bufsize=BUFFER,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def request(
        self,
        url: URL,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        authorization: str | None = None,
        body: Body | None = None,
        follow: bool = True,
        answer_s: float | None = None,
    ) -> AsyncGenerator[Answer]:
        """One request, with its redirects; the last answer, whatever its status.

        `answer_s` is the patience with this answer, where it is another than usual.
        """
        followed: frozenset[int] = REDIRECTS if method in ("GET", "HEAD") else SAME_METHOD
        followed = followed if follow else frozenset()
        first, hops = url, 0
        while True:
            sent = CIMultiDict(headers or {})
            if authorization is not None and trust.same_origin(first, url):
                sent[hdrs.AUTHORIZATION] = authorization
            async with self._one(method, url, sent, body, answer_s) as answer:
                location = answer.header(hdrs.LOCATION)
                if answer.status not in followed or location is None:
                    yield answer
                    return

            hops += 1
            if hops > REDIRECT_LIMIT:
                raise Denied(f"{trust.shown(first)} redirects more than {REDIRECT_LIMIT} times")
            url = self.checked_hop(url, location)

    def checked_hop(self, current: URL, location: str) -> URL:
        """The address that a redirect or realm names, if it may be followed."""
        try:
            target = current.join(URL(location))
        except ValueError as error:
            raise Corrupt(f"{trust.shown(current)} sends us to no address at all") from error

        home_is_public = self._resolver.home_is_public
        trust.check_hop(current, target, home=self.home, home_is_public=home_is_public)
        return target

    @asynccontextmanager
    async def _one(
        self,
        method: str,
        url: URL,
        headers: CIMultiDict[str],
        body: Body | None,
        answer_s: float | None,
    ) -> AsyncGenerator[Answer]:
        assert self._session is not None, "the transport is not open"
        proxy = self._proxy(url)
        if proxy is not None and proxy.host is not None:
            self._resolver.exempt.add(proxy.host)
        timeout = self._timeout(answer_s or self.patience.answer_s)
        is_own = trust.is_own(url, home=self.home)
        request = partial(
            self._session.request,
            method,
            url,
            allow_redirects=False,
            proxy=proxy,
            timeout=timeout,
            ssl=self._tls.own if is_own else self._tls.others,
        )
        if body is None:
            with translated(url):
                response = await request(headers=headers)
        else:
            response = await self._send(request, url, headers, body)
        try:
            yield Answer(response, self.patience)
        finally:
            response.close()

    async def _send(
        self,
        request: Callable[..., Awaitable[aiohttp.ClientResponse]],
        url: URL,
        headers: CIMultiDict[str],
        body: Body,
    ) -> aiohttp.ClientResponse:
        headers[hdrs.CONTENT_TYPE] = body.media_type
        headers[hdrs.CONTENT_LENGTH] = str(body.size)
        sending = Sending(body, stall_s=self.patience.answer_s)
        try:
            with sending.scope, translated(url):
                return await request(headers=headers, data=sending.pieces())
        except StackerError as error:
            raise sending.error or error from error
        raise Unavailable(f"{url.host}:{url.port} takes nothing of what is sent")

    def _timeout(self, answer_s: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=None, sock_connect=self.patience.connect_s, sock_read=answer_s
        )


@contextmanager
def translated(url: URL) -> Generator[None]:
    """Turn what aiohttp raises into our errors."""
    place = f"{url.host}:{url.port}"
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        reason = str(error.certificate_error)[:200]
        raise Denied(f"the certificate of {place} is not trusted: {reason}") from error
    except (aiohttp.ClientConnectorSSLError, aiohttp.ServerFingerprintMismatch) as error:
        raise Unavailable(f"{place} does not speak TLS with us: {error}"[:300]) from error
    except aiohttp.ClientProxyConnectionError as error:
        proxy = f"{error.host}:{error.port}"
        raise Unavailable(f"cannot reach the proxy {proxy}: {_reason(error.os_error)}") from error
    except aiohttp.ClientHttpProxyError as error:
        raise Unavailable(f"the proxy does not let us reach {place} ({error.status})") from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error.__cause__, StackerError):
            raise error.os_error.__cause__ from error
        raise Unavailable(f"cannot reach {place}: {_reason(error.os_error)}") from error
    except TimeoutError as error:
        raise Unavailable(f"{place} does not answer in time") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise Corrupt(f"{trust.shown(url)} is not an address") from error
    except (aiohttp.ClientResponseError, http_exceptions.HttpProcessingError) as error:
        raise Unavailable(f"{place} does not speak HTTP properly") from error
    except aiohttp.ClientPayloadError as error:
        raise Unavailable(f"{place} ended its answer early") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"the connection to {place} broke: {error or 'closed'}"[:300]) from error


def _reason(error: OSError) -> str:
    """Say it in the system's words; asyncio puts its own, with an address, in their place."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    # a name that is not found has a negative number of getaddrinfo's, which strerror(3) knows not
    return (error.strerror or str(error)).lower()
