"""Images between here and registries: pull, push, copy, and what a stack's images are there."""

from __future__ import annotations

from aiohttp import web

from stacker.base.errors import Invalid
from stacker.daemon import operation, present
from stacker.daemon.context import context_of
from stacker.daemon.present_images import lock_reply, outdated_reply, sent_reply
from stacker.daemon.reading import declaration_of, named_images, read_body
from stacker.oci import pull_policy
from stacker.oci.pull_policy import PullPolicy
from stacker.wire.images import (
    CopyRequest,
    LockRequest,
    OutdatedRequest,
    PullImagesRequest,
    PushRequest,
)
from stacker.wire.message import Message
from stacker.wire.names import check_names
from stacker.wire.requests import PullRequest

NO_STACK = ""
"""Whose events are told: those of no stack."""


async def pull(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, PullRequest)
    policy = _policy(body.policy)
    declaration = declaration_of(body.declaration)
    services = check_names("service", body.services)

    async def work() -> Message:
        pulled = await engine.registries.pull(declaration, services, policy=policy)
        return present.images_reply(pulled)

    return await operation.operate(request, work)


async def pull_images(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, PullImagesRequest)
    policy = _policy(body.policy)
    references = named_images(body.references)

    async def work() -> Message:
        pulled = await engine.registries.pull_images(
            references, platform=body.platform, policy=policy
        )
        return present.images_reply(pulled)

    return await operation.operate(request, work, stack=NO_STACK)


async def push(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, PushRequest)

    async def work() -> Message:
        return sent_reply(await engine.registries.push(body.reference, body.target))

    return await operation.operate(request, work, stack=NO_STACK)


async def copy(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, CopyRequest)

    async def work() -> Message:
        sent = await engine.registries.copy(
            body.source,
            body.target,
            platform=body.platform,
            with_referrers=body.with_referrers,
        )
        return sent_reply(sent)

    return await operation.operate(request, work, stack=NO_STACK)


async def lock(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, LockRequest)
    declaration = declaration_of(body.declaration)

    async def work() -> Message:
        return lock_reply(await engine.registries.lock(declaration, offline=body.offline))

    return await operation.operate(request, work, stack=NO_STACK)


async def outdated(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, OutdatedRequest)
    declaration = declaration_of(body.declaration) if body.declaration is not None else None

    async def work() -> Message:
        return outdated_reply(await engine.registries.outdated(declaration))

    return await operation.operate(request, work, stack=NO_STACK)


def _policy(text: str) -> PullPolicy:
    policy = pull_policy.parse(text)
    if policy.when == "never":
        raise Invalid("a pull whose policy is never pulls nothing")
    return policy
