"""``exec``: an ordinary request that becomes the byte protocol of ``wire.execution``.

aiohttp knows one upgrade, to WebSocket. So its transport is told to stop reading, the connection's
descriptor is duplicated, and both directions are pumped on the duplicate until the process has
ended or the client has gone; then the transport is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from socket import socket

import anyio
from aiohttp import web
from anyio.abc import ByteStream, UNIXSocketStream

from stacker.base.errors import Corrupt, Invalid, StackerError, Unavailable
from stacker.daemon.context import context_of
from stacker.daemon.reading import read_body, stack_of
from stacker.engine.ports import ExecSession
from stacker.plan.container_specs import ExecRequest
from stacker.wire import execution
from stacker.wire.message import encode
from stacker.wire.names import check_name
from stacker.wire.problems import problem_of
from stacker.wire.requests import ExecBody

GOODBYE_S = 5.0
SWITCH = (
    "HTTP/1.1 101 Switching Protocols\r\n"
    f"Connection: Upgrade\r\nUpgrade: {execution.UPGRADE}\r\n\r\n"
).encode()


async def exec_(request: web.Request) -> web.StreamResponse:
    context = context_of(request)
    stack = stack_of(request)
    body = await read_body(request, ExecBody)
    if request.headers.get("Upgrade", "").lower() != execution.UPGRADE:
        raise Invalid(f"exec needs the header `Upgrade: {execution.UPGRADE}`")
    if not body.args:
        raise Invalid("exec: no command is given")
    try:
        context.execs.acquire_nowait()
    except anyio.WouldBlock as error:
        raise Unavailable("exec: too many sessions") from error

    try:
        session = await context.engine.exec(
            stack,
            check_name("service", body.service),
            index=body.index,
            request=_exec_request(body),
        )
        try:
            async with _taken_over(request) as connection:
                await _converse(connection, session)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(GOODBYE_S):
                await session.aclose()
    finally:
        context.execs.release()
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # for nobody: the connection is gone


def _exec_request(body: ExecBody) -> ExecRequest:
    return ExecRequest(
        args=body.args,
        env=body.env,
        cwd=body.cwd,
        user=body.user,
        tty=body.tty,
        stdin=body.stdin,
        rows=body.rows,
        columns=body.columns,
        privileged=body.privileged,
    )


@asynccontextmanager
async def _taken_over(request: web.Request) -> AsyncGenerator[ByteStream]:
    """Speak on the connection ourselves; aiohttp's transport sees nothing until it is dropped."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("exec: the client went away")
    transport.pause_reading()
    duplicate = os.dup(transport.get_extra_info("socket").fileno())
    async with await UNIXSocketStream.from_socket(socket(fileno=duplicate)) as connection:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await connection.send(SWITCH)
            yield connection


async def _converse(connection: ByteStream, session: ExecSession) -> None:
    """Pump until the process has ended and all it wrote is sent, or the client has gone."""
    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            with suppress(StackerError):  # a process that is ending takes no more input
                await _pump_in(connection, session)
            tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        try:
            await _pump_out(connection, session)
        except StackerError as error:
            problem = json.dumps(encode(problem_of(error))).encode()
            await connection.send(execution.frame(execution.PROBLEM, problem))
        tasks.cancel_scope.cancel()


async def _pump_out(connection: ByteStream, session: ExecSession) -> None:
    """Send what it writes, and its code.

    Its end is waited for at the same time: that is also what ends the reading, when something it
    left behind holds its stdout open.
    """
    codes: list[int] = []
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            codes.append(await session.wait())

        tasks.start_soon(wait)
        while True:
            stream, content = await session.read()
            if stream == 0:
                break
            await connection.send(execution.frame(stream, content))
    await connection.send(execution.frame(execution.EXIT, codes[0].to_bytes(4, "big")))


async def _pump_in(connection: ByteStream, session: ExecSession) -> None:
    reader = execution.FrameReader()
    async for received in connection:
        for kind, payload in reader.feed(received):
            if kind == execution.RESIZE:
                await session.resize(*execution.parse_resize(payload))
            elif kind != execution.STDIN:
                raise Corrupt(f"exec: frames of kind {kind} are not for the supervisor")
            elif payload:
                await session.write(payload)
            else:
                await session.close_stdin()
