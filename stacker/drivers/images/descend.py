"""From what a name stands for down to the manifest for a platform, through indexes in indexes.

Called by pulls and loads. The best entry comes first; where it is an index with nothing for us, the
next one is looked into. An entry that names no platform is taken by what its config says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from stacker.base.errors import Corrupt, NotFound
from stacker.oci.descriptor import Descriptor
from stacker.oci.index import DEPTH_LIMIT, Index
from stacker.oci.manifest import Manifest
from stacker.oci.platform import Platform, candidates

T = TypeVar("T")

TRIES = 16
"""Entries of one index that are looked into; those with a fitting platform come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent(Generic[T]):
    """How documents are had; `T` is one of them, as its source gives it."""

    platform: Platform
    fetch: Callable[[Descriptor], Awaitable[T]]
    parse: Callable[[T, Descriptor | None], Manifest | Index]
    suits: Callable[[Manifest], Awaitable[bool]]
    """Whether the image runs on the platform, by its config."""

    async def manifest(
        self, document: T, expected: Descriptor | None = None, depth: int = 0
    ) -> tuple[Manifest, T]:
        parsed = self.parse(document, expected)
        if not isinstance(parsed, Index):
            return parsed, document
        if depth == DEPTH_LIMIT:
            raise Corrupt(f"indexes are nested more than {DEPTH_LIMIT} deep")

        for entry in candidates(parsed.manifests, self.platform)[:TRIES]:
            inner = await self.fetch(entry)
            try:
                manifest, found = await self.manifest(inner, entry, depth + 1)
            except NotFound:
                continue  # it is an index that has nothing for us
            if entry.platform is not None or await self.suits(manifest):
                return manifest, found

        raise NotFound(f"no image for {self.platform} in the index")
