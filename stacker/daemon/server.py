"""The HTTP server on the unix socket: who may connect, what an error looks like, how it ends.

aiohttp parses and bounds the heads (8 KiB a line, 128 headers, and a time limit for an idle or
half-sent one); ``reading`` bounds the bodies, ``answering`` the streams.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from stacker import __version__
from stacker.base.errors import Denied, Invalid, StackerError
from stacker.daemon.answering import problem_reply, problem_response
from stacker.daemon.context import CONTEXT, Context
from stacker.daemon.reading import MAX_BODY
from stacker.daemon.routes import ROUTES
from stacker.wire.replies import Problem

log = logging.getLogger(__name__)

SO_PEERGROUPS = 59  # socket(7), Linux 4.13
GOODBYE_S = 0.5
"""How long answers that are being written may take when the supervisor ends."""
BACKLOG = 128


@asynccontextmanager
async def serving(
    context: Context, listener: socket.socket, *, group_id: int | None
) -> AsyncGenerator[None]:
    """Answer requests on a listening socket while the block runs."""
    runner = web.AppRunner(
        build_app(context, group_id=group_id),
        access_log=None,
        handle_signals=False,
        handler_cancellation=True,
        keepalive_timeout=30.0,
        shutdown_timeout=GOODBYE_S,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        yield
    finally:
        await runner.cleanup()


def build_app(context: Context, *, group_id: int | None) -> web.Application:
    """Put the routes behind the guard."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check_peer(request, group_id)
            return await handler(request)
        except StackerError as error:
            return problem_reply(error)
        except web.HTTPException as error:
            problem = Problem(kind=_kind(error.status), message=error.reason.lower())
            return problem_response(problem, error.status)
        except ConnectionResetError:
            return web.Response()  # for nobody: the client has gone
        except Exception:
            log.exception("%s %s", request.method, request.path)
            problem = Problem(kind="internal", message="a bug: see the log of the supervisor")
            return problem_response(problem, 500)

    async def name_server(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = f"stacker/{__version__}"

    app = web.Application(middlewares=[guard], client_max_size=MAX_BODY)
    app[CONTEXT] = context
    app.on_response_prepare.append(name_server)
    for method, path, handler in ROUTES:
        app.router.add_route(method, path, handler)
    return app


def listen(path: Path, *, group_id: int | None) -> socket.socket:
    """Bind the socket in its own directory, which only we can write; the lock is ours already.

    A path that is too long for a socket address is reached through its directory's descriptor.
    """
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    old_mask = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.umask(old_mask)
        os.close(directory)
    if group_id is not None:
        os.chown(path, -1, group_id)
    os.chmod(path, 0o660)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def inherited(fd: int) -> socket.socket:
    """Take a listening socket that systemd made."""
    try:
        listener = socket.socket(fileno=fd)
    except OSError as error:
        raise Invalid(f"socket activation: descriptor {fd}: {error.strerror}") from error
    if listener.family != socket.AF_UNIX or listener.type != socket.SOCK_STREAM:
        raise Invalid(f"socket activation: descriptor {fd} is not a unix stream socket")
    listener.set_inheritable(False)
    listener.setblocking(False)
    return listener


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Invalid(f"{path} is in the way: not a socket")
        path.unlink()
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise Denied(f"{path}: {error.strerror}") from error


def _check_peer(request: web.Request, group_id: int | None) -> None:
    """Root, ourselves, and members of the group; file modes say the same, this makes sure."""
    peer = request.transport.get_extra_info("socket") if request.transport is not None else None
    if peer is None:
        raise Denied("the connection is gone")
    _, uid, gid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid in (0, os.geteuid()):
        return
    if group_id is not None:
        groups = peer.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 65536)
        if group_id == gid or group_id in struct.unpack(f"{len(groups) // 4}i", groups):
            return
    raise Denied(f"user {uid} may not talk to this supervisor")


def _kind(status: int) -> str:
    return {404: "not-found", 403: "denied"}.get(status, "invalid")
