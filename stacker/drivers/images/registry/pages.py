"""Lists that a registry hands out in pages, each naming the next in a Link header (RFC 8288).

Bounded: a registry that never ends, or leads in a circle, is refused.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from yarl import URL

from stacker.base.errors import Corrupt, Denied
from stacker.drivers.images.registry import trust
from stacker.drivers.images.registry.answers import raise_for
from stacker.drivers.images.registry.connection import Connection
from stacker.drivers.images.registry.transport import Answer
from stacker.oci.fields import DOCUMENT_LIMIT, load_object

PAGE_LIMIT = 10_000
NAME_LIMIT = 1_000_000

_LINK = re.compile(r'\s*<([^<>]*)>((?:\s*;\s*[a-z*]+\s*=\s*(?:"[^"]*"|[^\s",;]+))*)\s*(?:,|$)')
_REL_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]* )?next(?: [^"]*)?"|next(?=[\s;]|$))')


async def pages(connection: Connection, first: URL) -> AsyncIterator[tuple[Answer, bytes]]:
    """Every page's answer and body; a page other than the first must exist."""
    url: URL | None = first
    seen: set[URL] = set()
    while url is not None:
        seen.add(url)
        async with connection.request("GET", url) as answer:
            if answer.status != 200:
                await raise_for(answer)
            yield answer, await answer.body(limit=DOCUMENT_LIMIT)
            target = next_page(", ".join(answer.headers("Link")))
            url = connection.location(answer, target) if target is not None else None
        if url is not None and not trust.same_origin(url, first):
            raise Denied(f"{trust.shown(first)} continues its list at {trust.shown(url)}")
        if url in seen or len(seen) > PAGE_LIMIT:
            raise Corrupt(f"the list of {trust.shown(first)} has no end")


async def names(connection: Connection, first: URL, key: str) -> tuple[str, ...]:
    """The strings under a key of every page, sorted: not every registry keeps to the order."""
    found: list[str] = []
    async for _, body in pages(connection, first):
        found += load_object(body, what=key).texts(key)
        if len(found) > NAME_LIMIT:
            raise Corrupt(f"{trust.shown(first)} lists more than {NAME_LIMIT} names")
    return tuple(sorted(found))


def next_page(header: str) -> str | None:
    """The target of the link with rel=next."""
    position = 0
    while (match := _LINK.match(header, position)) is not None and match.end() > position:
        if _REL_NEXT.search(match[2]):
            return match[1]
        position = match.end()
    return None
