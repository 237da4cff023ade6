"""A registry in this process that serves what it is given, and lies when a test tells it to.

It takes pushes as well (`shelves`), and passes the suite of the client that the real one passes.

A test bends answers with a `Bend`: a function that may answer a request itself, or return None for
the honest answer. Every request is recorded with its headers, so that a test can count credentials.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.registries.made import MANIFEST, TinyImage, digest_of
from tests.registries.shelves import Shelves, error, ranged

Bend = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass(slots=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)

    @property
    def authorization(self) -> str | None:
        return self.headers.get("Authorization")


class ScriptedRegistry:
    """`async with` it; `host` is then its place in references."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        """Tag or digest → media type and bytes."""
        self.shelves = Shelves()
        """What has been pushed."""
        self.seen: list[Seen] = []
        self.bend: Bend | None = None
        self.host = ""
        self._tls = tls
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{rest:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.host = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def add(self, image: TinyImage, *, tag: str = "1") -> str:
        """Serve an image; its reference."""
        self.blobs.update(image.blobs)
        self.manifests[tag] = self.manifests[image.digest] = (MANIFEST, image.manifest)
        return f"{self.host}/web:{tag}"

    def add_layout(self, layout: Path, *, tag: str = "1") -> str:
        """Serve the first image of an OCI layout; its reference."""
        entry = json.loads((layout / "index.json").read_bytes())["manifests"][0]
        for file in (layout / "blobs/sha256").iterdir():
            self.blobs[f"sha256:{file.name}"] = file.read_bytes()
        data = self.blobs[entry["digest"]]
        self.manifests[tag] = self.manifests[entry["digest"]] = (entry["mediaType"], data)
        return f"{self.host}/web:{tag}"

    def count(self, part: str) -> int:
        """How many requests had this in their path."""
        return sum(part in seen.path for seen in self.seen)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(Seen(request.method, request.path_qs, dict(request.headers)))
        if self.bend is not None and (bent := await self.bend(request)) is not None:
            return bent
        return await self.shelves.answer(request) or self.honest(request)

    def honest(self, request: web.Request) -> web.Response:
        """The answer of the distribution specification, for what a test has added."""
        if request.path == "/v2/":
            return web.Response()

        what, _, name = request.path.rpartition("/")
        if what.endswith("/manifests") and name in self.manifests:
            media_type, data = self.manifests[name]
            return web.Response(
                body=data,
                content_type=media_type,
                headers={"Docker-Content-Digest": digest_of(data)},
            )
        if what.endswith("/blobs") and name in self.blobs:
            return ranged(request, self.blobs[name])

        kinds = {"manifests": "MANIFEST_UNKNOWN", "blobs": "BLOB_UNKNOWN"}
        return error(404, kinds.get(what.rpartition("/")[2], "NAME_UNKNOWN"))
