"""An operation's answer: its stack's events while it runs, then one line with how it ended.

An operation that fails before anything happened is answered with a problem document and its
status code; later the head is already sent, and the problem is the last line.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
from aiohttp import web
from anyio.abc import TaskGroup

from stacker.base.errors import Failed, StackerError
from stacker.daemon.answering import LINES, Stream, closing, json_line, problem_reply, streaming
from stacker.daemon.context import Context, context_of
from stacker.daemon.present import event_line
from stacker.wire.message import Message, encode
from stacker.wire.problems import problem_of
from stacker.wire.replies import OperationLine, UpReply

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[Message]]

EARLY_S = 0.05
"""How long an operation may take to fail and still be answered with a status code of its own."""


async def operate(
    request: web.Request, work: Work, *, stack: str | None = None
) -> web.StreamResponse:
    """Carry out what was asked for, whether or not the client stays to hear of it.

    ``stack``: whose events are told; None: all.
    """
    context = context_of(request)
    seen = context.engine.last_event
    ended = _start(context.tasks, context, work)
    with anyio.move_on_after(EARLY_S):
        await ended.event.wait()
    if ended.error is not None:
        return problem_reply(ended.error)
    async with streaming(request, LINES) as stream:
        await _tell(context, stream, stack, seen, ended)
    return stream.response


async def watch(
    request: web.Request,
    work: Work,
    *,
    stack: str,
    since: int,
    accepted: UpReply | None = None,
) -> web.StreamResponse:
    """Tell the events of a stack until ``work`` ends; it is given up when the client goes."""
    context = context_of(request)
    response: web.StreamResponse = web.Response()
    async with anyio.create_task_group() as tasks:
        ended = _start(tasks, context, work)
        async with streaming(request, LINES) as stream:
            if accepted is not None:
                await stream.write(json_line(OperationLine(accepted=accepted)))
            await _tell(context, stream, stack, since, ended)
        response = stream.response
    return response


class _Ended:
    def __init__(self) -> None:
        self.event = anyio.Event()
        self.result: Message | None = None
        self.error: StackerError | None = None

    def line(self) -> OperationLine:
        if self.error is not None:
            return OperationLine(problem=problem_of(self.error))
        return OperationLine(result=encode(self.result) if self.result is not None else {})


def _start(tasks: TaskGroup, context: Context, work: Work) -> _Ended:
    ended = _Ended()

    async def run() -> None:
        try:
            with context.activity.counted():
                ended.result = await work()
        except StackerError as error:
            ended.error = error
        except Exception:
            # it must not end the task group that it runs in, which is the supervisor's own
            log.exception("an operation")
            ended.error = Failed("a bug: see the log of the supervisor")
        finally:
            ended.event.set()

    tasks.start_soon(run)
    return ended


async def _tell(
    context: Context, stream: Stream, stack: str | None, last: int, ended: _Ended
) -> None:
    """Write events until the work has ended, those that had happened by then, and the end."""

    async def follow(*, forever: bool) -> None:
        nonlocal last
        async with closing(context.engine.events(since=last, follow=forever)) as events:
            async for event in events:
                last = event.seq
                if stack is None or event.stack == stack:
                    await stream.write(json_line(OperationLine(event=event_line(event))))

    async with anyio.create_task_group() as tasks:

        async def end() -> None:
            await ended.event.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(end)
        await follow(forever=True)
    await follow(forever=False)
    await stream.write(json_line(ended.line()))
