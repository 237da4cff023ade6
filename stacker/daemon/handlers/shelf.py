"""Images that are here: inspect, history, tag, remove, verify, and what goes out as an archive."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from aiohttp import web

from stacker.daemon import operation, present
from stacker.daemon.answering import closing, json_reply, streaming
from stacker.daemon.context import context_of
from stacker.daemon.present_images import history_reply, inspection, verified_reply
from stacker.daemon.reading import named_images, read_body, read_query
from stacker.wire.images import (
    ArchiveQuery,
    CompleteRequest,
    ImageQuery,
    LayoutRequest,
    Removed,
    RemoveRequest,
    TagRequest,
    VerifyRequest,
)
from stacker.wire.message import Message, encode
from stacker.wire.names import check_path
from stacker.wire.replies import Done

TAR = "application/x-tar"


async def inspect(request: web.Request) -> web.StreamResponse:
    query = read_query(request, ImageQuery)
    detail = await context_of(request).engine.images.detail(query.reference)
    # documents of images may spell names that ASCII has not
    text = json.dumps(encode(inspection(detail)), ensure_ascii=False)
    return web.Response(text=text, content_type="application/json")


async def history(request: web.Request) -> web.StreamResponse:
    query = read_query(request, ImageQuery)
    detail = await context_of(request).engine.images.detail(query.reference)
    return json_reply(history_reply(detail))


async def tag(request: web.Request) -> web.StreamResponse:
    body = await read_body(request, TagRequest)
    image = await context_of(request).engine.images.tag(body.source, body.target)
    return json_reply(present.images_reply([image]))


async def remove(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, RemoveRequest)

    async def work() -> Message:
        removed = await engine.images.remove(named_images(body.references), force=body.force)
        return Removed(names=removed.names, files=removed.files, size_bytes=removed.size_bytes)

    return await operation.operate(request, work)


async def verify(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, VerifyRequest)

    async def work() -> Message:
        return verified_reply(await engine.images.verify(body.references, repair=body.repair))

    return await operation.operate(request, work)


async def complete(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, CompleteRequest)

    async def work() -> Message:
        await engine.images.complete(named_images(body.references))
        return Done()

    return await operation.operate(request, work)


async def layout(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, LayoutRequest)
    path = check_path("layout", body.path)

    async def work() -> Message:
        await engine.images.write_layout(named_images(body.references), path)
        return Done()

    return await operation.operate(request, work)


async def archive(request: web.Request) -> web.StreamResponse:
    query = read_query(request, ArchiveQuery)
    images = context_of(request).engine.images
    return await send_tar(request, images.archive(named_images(query.reference), form=query.form))


async def send_tar(request: web.Request, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """Stream an archive; what cannot be given is said with a status code, before the head."""
    with context_of(request).activity.counted():
        async with closing(pieces):
            first = await anext(pieces)
            async with streaming(request, TAR) as stream:
                await stream.write(first)
                async for piece in pieces:
                    await stream.write(piece)
    return stream.response
