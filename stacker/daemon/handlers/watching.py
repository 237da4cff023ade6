"""What goes on: events, logs, stats, and the supervisor itself."""

from __future__ import annotations

import os

from aiohttp import web

from stacker import __version__
from stacker.daemon import present
from stacker.daemon.answering import LINES, closing, json_line, json_reply, streaming
from stacker.daemon.context import context_of
from stacker.daemon.reading import read_query, stack_of
from stacker.wire.log_stream import build_record
from stacker.wire.names import check_names
from stacker.wire.queries import EventsQuery, LogsQuery, StackQuery
from stacker.wire.replies import Info

LOG_RECORDS = "application/x-stacker-logs"


async def events(request: web.Request) -> web.StreamResponse:
    query = read_query(request, EventsQuery)
    since = query.since
    if since is None and not query.follow:
        since = 0
    found = context_of(request).engine.events(since=since, follow=query.follow)
    async with streaming(request, LINES) as stream, closing(found) as events:
        async for event in events:
            if query.stack in (None, event.stack):
                await stream.write(json_line(present.event_line(event)))
    return stream.response


async def logs(request: web.Request) -> web.StreamResponse:
    query = read_query(request, LogsQuery)
    found = context_of(request).engine.logs(
        stack_of(request),
        check_names("service", query.service),
        tail=query.tail,
        since=query.since,
        follow=query.follow,
    )
    async with streaming(request, LOG_RECORDS) as stream, closing(found) as chunks:
        async for chunk in chunks:
            await stream.write(build_record(chunk.container, chunk.service, chunk.frames))
    return stream.response


async def stats(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    query = read_query(request, StackQuery)
    samples = await engine.stats(query.stack)
    containers = [c for state in await engine.stacks(query.stack) for c in state.containers]
    return json_reply(present.stats_reply(samples, containers))


async def info(request: web.Request) -> web.StreamResponse:
    context = context_of(request)
    return json_reply(
        Info(
            version=__version__,
            pid=os.getpid(),
            root=str(context.settings.root),
            run=str(context.settings.run),
            runtime=context.settings.runtime,
            ephemeral=context.settings.ephemeral,
            apparmor=context.engine.apparmor,
            layers=context.engine.layers,
            seals=context.engine.seals,
        )
    )
