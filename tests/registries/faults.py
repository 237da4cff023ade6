"""Ways for a registry to fail or lie, as bends of `ScriptedRegistry`."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping

import anyio
from aiohttp import web

from tests.registries.scripted import Bend, ScriptedRegistry


def on(part: str, bend: Bend, *, times: int = 1_000_000) -> Bend:
    """Bend the first so many requests whose path has this part."""
    left = times

    async def bent(request: web.Request) -> web.StreamResponse | None:
        nonlocal left
        if part not in request.path or left <= 0:
            return None
        left -= 1
        return await bend(request)

    return bent


def status(code: int, headers: Mapping[str, str] | None = None) -> Bend:
    async def bent(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=headers, body=b"not JSON \x1b[31m")

    return bent


def page(body: bytes = b"<html>log in</html>", content_type: str = "text/html") -> Bend:
    """What a network that wants something first puts in the place of every answer."""

    async def bent(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type)

    return bent


def hang() -> Bend:
    """Take the request and never answer."""

    async def bent(request: web.Request) -> web.StreamResponse:
        await anyio.sleep_forever()
        raise AssertionError

    return bent


def changed(
    registry: ScriptedRegistry,
    change: Callable[[bytes], bytes],
    *,
    kept: tuple[str, ...] = ("Content-Type", "Content-Range", "Docker-Content-Digest"),
    more: Mapping[str, str] | None = None,
) -> Bend:
    """The honest answer with other bytes, a length that fits them, and the headers `kept`."""

    async def bent(request: web.Request) -> web.StreamResponse:
        honest = registry.honest(request)
        assert isinstance(honest.body, bytes)
        headers = {name: value for name, value in honest.headers.items() if name in kept}
        headers |= more or {}
        return web.Response(status=honest.status, body=change(honest.body), headers=headers)

    return bent


def repacked(registry: ScriptedRegistry) -> Bend:
    """The honest answer in a Content-Encoding that nobody has asked for."""

    async def bent(request: web.Request) -> web.StreamResponse:
        honest = registry.honest(request)
        assert isinstance(honest.body, bytes)
        body = gzip.compress(honest.body)
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    return bent


def cut(registry: ScriptedRegistry, after: int) -> Bend:
    """Promise all, send so many bytes of each answer, and close the connection."""

    async def bent(request: web.Request) -> web.StreamResponse:
        honest = registry.honest(request)
        assert isinstance(honest.body, bytes)
        response = web.StreamResponse(status=honest.status, headers=honest.headers)
        response.content_length = len(honest.body)
        await response.prepare(request)
        await response.write(honest.body[:after])
        assert request.transport is not None
        request.transport.abort() if after == 0 else request.transport.close()
        return response

    return bent


def unannounced(registry: ScriptedRegistry, after: int) -> Bend:
    """Promise nothing, send so many bytes of each answer, and close the connection as its end."""

    async def bent(request: web.Request) -> web.StreamResponse:
        honest = registry.honest(request)
        assert isinstance(honest.body, bytes)
        assert request.transport is not None
        place = honest.headers.get("Content-Range")
        head = [f"HTTP/1.1 {honest.status} OK", "Connection: close"]
        head += [f"Content-Range: {place}"] if place else []
        request.transport.write("\r\n".join([*head, "", ""]).encode() + honest.body[:after])
        request.transport.close()
        return web.Response()

    return bent


def drip(registry: ScriptedRegistry, *, every_s: float) -> Bend:
    """Send one byte at a time."""

    async def bent(request: web.Request) -> web.StreamResponse:
        honest = registry.honest(request)
        assert isinstance(honest.body, bytes)
        response = web.StreamResponse(status=honest.status, headers=honest.headers)
        response.content_length = len(honest.body)
        await response.prepare(request)
        for byte in honest.body:
            await response.write(bytes([byte]))
            await anyio.sleep(every_s)
        return response

    return bent


def endless(headers: Mapping[str, str]) -> Bend:
    """Never stop sending."""

    async def bent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    return bent


def redirect(location: str, *, code: int = 307) -> Bend:
    async def bent(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers={"Location": location})

    return bent
