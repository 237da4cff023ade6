"""Services of a stack: stop, start, restart, kill."""

from __future__ import annotations

from aiohttp import web

from stacker.daemon import operation
from stacker.daemon.context import context_of
from stacker.daemon.reading import read_body, stack_of
from stacker.wire.message import Message
from stacker.wire.names import check_names
from stacker.wire.replies import Done
from stacker.wire.requests import KillRequest, ServicesRequest


async def stop(request: web.Request) -> web.StreamResponse:
    services_of, stack = context_of(request).engine.services, stack_of(request)
    body = await read_body(request, ServicesRequest)
    services = check_names("service", body.services)

    async def work() -> Message:
        await services_of.stop(stack, services, timeout_s=body.timeout_s)
        return Done()

    return await operation.operate(request, work, stack=stack)


async def start(request: web.Request) -> web.StreamResponse:
    services_of, stack = context_of(request).engine.services, stack_of(request)
    body = await read_body(request, ServicesRequest)
    services = check_names("service", body.services)

    async def work() -> Message:
        await services_of.start(stack, services)
        return Done()

    return await operation.operate(request, work, stack=stack)


async def restart(request: web.Request) -> web.StreamResponse:
    services_of, stack = context_of(request).engine.services, stack_of(request)
    body = await read_body(request, ServicesRequest)
    services = check_names("service", body.services)

    async def work() -> Message:
        await services_of.restart(stack, services, timeout_s=body.timeout_s)
        return Done()

    return await operation.operate(request, work, stack=stack)


async def kill(request: web.Request) -> web.StreamResponse:
    services_of, stack = context_of(request).engine.services, stack_of(request)
    body = await read_body(request, KillRequest)
    services = check_names("service", body.services)

    async def work() -> Message:
        await services_of.kill(stack, services, signal=body.signal)
        return Done()

    return await operation.operate(request, work, stack=stack)
