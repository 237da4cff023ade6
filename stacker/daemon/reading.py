"""Requests as they come in: bodies, query strings and names, bounded and checked."""

from __future__ import annotations

import json
from typing import TypeVar

import anyio
from aiohttp import web

from stacker.base.errors import Invalid, Unavailable
from stacker.plan.declaration import Declaration
from stacker.wire.message import Message, decode, fields_of
from stacker.wire.names import check_name, check_path
from stacker.wire.requests import DeclarationBody

M = TypeVar("M", bound=Message)

MAX_BODY = 4 << 20
"""The largest is an ``up`` with its caller's environment; Linux bounds that at 2 MiB by default."""
BODY_TIMEOUT_S = 30.0


async def read_body(request: web.Request, cls: type[M]) -> M:
    """Read and check the body; a body that is too long or too slow is refused."""
    try:
        with anyio.fail_after(BODY_TIMEOUT_S):
            content = await request.read()
    except TimeoutError as error:
        raise Unavailable("the body of the request did not come") from error
    if not content:
        return decode(cls, {})
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Invalid("the body of the request is not JSON") from error
    return decode(cls, value)


def read_query(request: web.Request, cls: type[M]) -> M:
    """Check the query string against a message whose fields are the parameters."""
    fields = fields_of(cls)
    values: dict[str, object] = {}
    for name in request.query:
        texts = request.query.getall(name)
        annotation = fields.get(name, "str")
        if annotation == "tuple[str, ...]":
            values[name] = texts
        elif len(texts) > 1:
            raise Invalid(f"query parameter {name[:80]!r} is given twice")
        else:
            values[name] = _parsed(name, annotation.removesuffix(" | None"), texts[0])
    return decode(cls, values)


def stack_of(request: web.Request) -> str:
    """Return the stack that the path names."""
    return check_name("stack", request.match_info["stack"])


def declaration_of(body: DeclarationBody) -> Declaration:
    """Check the paths of a declaration; what is in the files is the loader's to judge."""
    return Declaration(
        files=tuple(check_path("stack file", file) for file in body.files),
        working_dir=check_path("working directory", body.working_dir),
        environment=body.environment,
        project=body.project,
        profiles=body.profiles,
        watch=body.watch,
        locked=body.locked,
    )


def named_images(references: tuple[str, ...]) -> tuple[str, ...]:
    """Insist that there is one at least."""
    if not references:
        raise Invalid("no image is named")
    return references


def _parsed(name: str, annotation: str, text: str) -> object:
    try:
        match annotation:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return {"true": True, "false": False, "1": True, "0": False}[text]
            case _:
                return text
    except (ValueError, KeyError) as error:
        raise Invalid(f"query parameter {name}={text[:80]!r} is not a {annotation}") from error
