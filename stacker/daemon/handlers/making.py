"""Images that are made here, and trees of images: build, commit, mount, unmount, export."""

from __future__ import annotations

from aiohttp import web

from stacker.base.errors import Invalid
from stacker.daemon import operation, present
from stacker.daemon.answering import json_reply
from stacker.daemon.context import context_of
from stacker.daemon.handlers.shelf import send_tar
from stacker.daemon.reading import read_body, read_query
from stacker.plan.image_requests import BuildImage, CommitImage, MakeImage
from stacker.wire.images import (
    BuildRequest,
    CommitRequest,
    ImageQuery,
    MakingBody,
    MountedImages,
    MountRequest,
    UnmountRequest,
)
from stacker.wire.message import Message
from stacker.wire.names import check_name, check_path

EPOCH_MAX = 1 << 33
ID_MAX = (1 << 32) - 2


async def build(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, BuildRequest)
    wanted = BuildImage(
        making=_making(body.making),
        source=check_path("source", body.source),
        platform=body.platform,
        owner=_owner(body.owner),
    )

    async def work() -> Message:
        return present.images_reply([await engine.making.build(wanted)])

    return await operation.operate(request, work)


async def commit(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, CommitRequest)
    wanted = CommitImage(
        making=_making(body.making),
        container=check_name("container", body.container),
        stack=check_name("stack", body.stack) if body.stack is not None else None,
        pause=body.pause,
    )

    async def work() -> Message:
        return present.images_reply([await engine.making.commit(wanted)])

    return await operation.operate(request, work)


async def mount(request: web.Request) -> web.StreamResponse:
    body = await read_body(request, MountRequest)
    place = await context_of(request).engine.making.mount(body.reference)
    return json_reply(MountedImages(paths=(str(place),)))


async def unmount(request: web.Request) -> web.StreamResponse:
    body = await read_body(request, UnmountRequest)
    place = await context_of(request).engine.making.unmount(body.image)
    return json_reply(MountedImages(paths=(str(place),)))


async def mounted(request: web.Request) -> web.StreamResponse:
    places = context_of(request).engine.making.mounted()
    return json_reply(MountedImages(paths=tuple(map(str, places))))


async def rootfs(request: web.Request) -> web.StreamResponse:
    query = read_query(request, ImageQuery)
    return await send_tar(request, context_of(request).engine.making.export(query.reference))


def _making(body: MakingBody) -> MakeImage:
    if body.epoch is not None and not 0 <= body.epoch < EPOCH_MAX:
        raise Invalid(f"SOURCE_DATE_EPOCH {body.epoch} is no time that an image could have")
    return MakeImage(
        reference=body.reference,
        changes=body.changes,
        message=body.message,
        author=body.author,
        compression=body.compression,
        epoch=body.epoch,
    )


def _owner(ids: tuple[int, ...]) -> tuple[int, int] | None:
    if not ids:
        return None
    if len(ids) != 2 or not all(0 <= each <= ID_MAX for each in ids):
        raise Invalid("owner is a user's id and a group's")
    return ids[0], ids[1]
