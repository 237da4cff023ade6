"""Stacks as wholes: declare, wait, plan, take down, find, list."""

from __future__ import annotations

import time

from aiohttp import web

from stacker.base.errors import Conflict, Invalid, NotFound
from stacker.daemon import operation, present
from stacker.daemon.answering import json_reply
from stacker.daemon.context import context_of
from stacker.daemon.reading import declaration_of, read_body, read_query, stack_of
from stacker.engine.engine import Engine
from stacker.oci import pull_policy
from stacker.wire.names import check_name, check_names, check_path
from stacker.wire.queries import ContainersQuery, WaitQuery
from stacker.wire.replies import Containers, DownReply, FoundStack, Stacks, UpReply, WaitReply
from stacker.wire.requests import DownRequest, FindRequest, PlanRequest, UpRequest

WAITS = ("accepted", "running", "healthy")


async def up(request: web.Request) -> web.StreamResponse:
    context = context_of(request)
    body = await read_body(request, UpRequest)
    if body.wait not in WAITS:
        raise Invalid(f"wait is one of {', '.join(WAITS)}, not {body.wait[:80]!r}")
    if body.pull is not None:
        pull_policy.parse(body.pull)
    with context.activity.counted():
        outcome = await context.engine.up(
            declaration_of(body.declaration),
            pull=body.pull,
            services=check_names("service", body.services),
            force_recreate=body.force_recreate,
        )

        async def work() -> WaitReply:
            if body.wait == "accepted":
                return WaitReply(ok=True)
            ended = await context.engine.wait(
                outcome.stack, outcome.generation, healthy=body.wait == "healthy"
            )
            return WaitReply(ok=ended.ok, problems=ended.problems)

        accepted = UpReply(
            stack=outcome.stack,
            generation=outcome.generation,
            since=outcome.since,
            warnings=outcome.warnings,
        )
        return await operation.watch(
            request, work, stack=outcome.stack, since=outcome.since, accepted=accepted
        )


async def wait(request: web.Request) -> web.StreamResponse:
    """Go on waiting for an earlier ``up``: the way back after the supervisor was restarted."""
    context = context_of(request)
    stack = stack_of(request)
    query = read_query(request, WaitQuery)

    async def work() -> WaitReply:
        ended = await context.engine.wait(stack, query.generation, healthy=query.healthy)
        return WaitReply(ok=ended.ok, problems=ended.problems)

    since = context.engine.last_event if query.since is None else query.since
    return await operation.watch(request, work, stack=stack, since=since)


async def plan(request: web.Request) -> web.StreamResponse:
    context = context_of(request)
    body = await read_body(request, PlanRequest)
    with context.activity.counted():
        planned = await context.engine.plan(declaration_of(body.declaration))
    return json_reply(present.plan_reply(planned))


async def down(request: web.Request) -> web.StreamResponse:
    context = context_of(request)
    stack = stack_of(request)
    body = await read_body(request, DownRequest)

    async def work() -> DownReply:
        await context.engine.down(stack, volumes=body.volumes, timeout_s=body.timeout_s)
        is_last = not await context.engine.stacks()
        return DownReply(supervisor_ends=context.settings.ephemeral and is_last)

    return await operation.operate(request, work, stack=stack)


async def find(request: web.Request) -> web.StreamResponse:
    body = await read_body(request, FindRequest)
    found = context_of(request).engine.find_stack(
        project=check_name("stack", body.project) if body.project is not None else None,
        files=tuple(check_path("stack file", file) for file in body.files),
        working_dir=check_path("working directory", body.working_dir),
    )
    return json_reply(FoundStack(stack=found))


async def stacks(request: web.Request) -> web.StreamResponse:
    states = await context_of(request).engine.stacks()
    return json_reply(Stacks(stacks=tuple(map(present.stack_row, states))))


async def containers(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    name = _meant(engine, read_query(request, ContainersQuery))
    reply: Containers = present.containers_reply(await engine.stacks(name), now=time.time())
    return json_reply(reply)


def _meant(engine: Engine, query: ContainersQuery) -> str | None:
    """Return the stack's name; None, for all, where nothing was said and nothing is here."""
    if query.stack is None and not query.file and query.working_dir is None:
        return None
    try:
        return engine.find_stack(
            project=query.stack, files=query.file, working_dir=query.working_dir or "/"
        )
    except (NotFound, Conflict):
        if query.stack is not None or query.file:
            raise
        return None


async def inspect(request: web.Request) -> web.StreamResponse:
    name = check_name("container", request.match_info["name"])
    return web.json_response(await context_of(request).engine.inspect(stack_of(request), name))
