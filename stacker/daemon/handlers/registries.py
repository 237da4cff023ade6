"""Registries: log in, log out."""

from __future__ import annotations

from aiohttp import web

from stacker.daemon import operation
from stacker.daemon.context import context_of
from stacker.daemon.reading import read_body
from stacker.wire.message import Message
from stacker.wire.names import check_name
from stacker.wire.replies import Done
from stacker.wire.requests import LoginRequest, LogoutRequest


async def login(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, LoginRequest)
    stack = check_name("stack", body.stack) if body.stack is not None else None

    async def work() -> Message:
        await engine.images.login(
            body.registry, user=body.user, password=body.password, stack=stack
        )
        return Done()

    return await operation.operate(request, work)


async def logout(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, LogoutRequest)
    stack = check_name("stack", body.stack) if body.stack is not None else None

    async def work() -> Message:
        await engine.images.logout(body.registry, stack=stack)
        return Done()

    return await operation.operate(request, work)
