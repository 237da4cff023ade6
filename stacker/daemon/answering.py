"""Answers: a message as JSON, a problem document, or a stream that a slow reader cannot hold up.

A reader that takes nothing for ``STALLED_S`` is cut off. Nothing piles up for it meanwhile: what
streams come from (the events' history, the log files) is read only as fast as it is written here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from aiohttp import web

from stacker.base.errors import StackerError
from stacker.wire.message import Message, encode
from stacker.wire.problems import STATUS_OF_KIND, problem_of
from stacker.wire.replies import Problem

log = logging.getLogger(__name__)

T = TypeVar("T")

STALLED_S = 60.0

LINES = "application/x-ndjson"
PROBLEM = "application/problem+json"


def json_reply(message: Message) -> web.Response:
    return web.json_response(encode(message))


def problem_reply(error: StackerError) -> web.Response:
    return problem_response(problem_of(error), STATUS_OF_KIND.get(error.kind, 500))


def problem_response(problem: Problem, status: int) -> web.Response:
    return web.json_response(encode(problem), status=status, content_type=PROBLEM)


def json_line(message: Message) -> bytes:
    """One line of a stream; fields that are not set are left out."""
    given = {name: value for name, value in encode(message).items() if value is not None}
    return json.dumps(given).encode() + b"\n"


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T]]:
    """Close a generator in the task that ran it, also when the reader has gone."""
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            with anyio.CancelScope(shield=True):
                await source.aclose()


class Stream:
    """A chunked answer that is being written."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self.response = response

    async def write(self, content: bytes) -> None:
        """Write, or cut off a reader that does not read."""
        try:
            with anyio.fail_after(STALLED_S):
                await self.response.write(content)
        except TimeoutError as error:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("the reader does not read") from error


@asynccontextmanager
async def streaming(request: web.Request, content_type: str) -> AsyncGenerator[Stream]:
    """Send the head at once; the body ends, and with it the answer, when the block does.

    An error in the block cuts the connection, so that the reader does not take it for the end.
    """
    response = web.StreamResponse(headers={"Content-Type": content_type})
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        yield Stream(request, response)
    except ConnectionResetError:
        raise
    except Exception as error:
        log.warning("%s: %s", request.path, error, exc_info=not isinstance(error, StackerError))
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the answer was cut") from error
    await response.write_eof()
