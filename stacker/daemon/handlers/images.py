"""Images: list, load, import."""

from __future__ import annotations

from aiohttp import web

from stacker.daemon import operation, present
from stacker.daemon.answering import json_reply
from stacker.daemon.context import context_of
from stacker.daemon.reading import read_body
from stacker.wire.message import Message
from stacker.wire.names import check_path
from stacker.wire.requests import ImportRequest, LoadRequest


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
