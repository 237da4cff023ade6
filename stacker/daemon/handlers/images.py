"""Images: pull, list, load, import."""

from __future__ import annotations

from aiohttp import web

from stacker.base.errors import Invalid
from stacker.daemon import operation, present
from stacker.daemon.answering import json_reply
from stacker.daemon.context import context_of
from stacker.daemon.reading import declaration_of, read_body
from stacker.wire.message import Message
from stacker.wire.names import check_names, check_path
from stacker.wire.requests import ImportRequest, LoadRequest, PullRequest


async def pull(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, PullRequest)
    if body.policy not in ("always", "missing"):
        raise Invalid(f"policy is always or missing, not {body.policy[:80]!r}")
    declaration = declaration_of(body.declaration)
    services = check_names("service", body.services)

    async def work() -> Message:
        pulled = await engine.images.pull(declaration, services, policy=body.policy)
        return present.images_reply(pulled)

    return await operation.operate(request, work)


async def images(request: web.Request) -> web.StreamResponse:
    return json_reply(present.images_reply(await context_of(request).engine.images.list()))


async def load(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, LoadRequest)
    path = check_path("archive", body.path)

    async def work() -> Message:
        return present.images_reply(await engine.images.load(path))

    return await operation.operate(request, work)


async def import_image(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, ImportRequest)
    path = check_path("archive", body.path)

    async def work() -> Message:
        image = await engine.images.import_image(
            path, reference=body.reference, changes=body.changes
        )
        return present.images_reply([image])

    return await operation.operate(request, work)
