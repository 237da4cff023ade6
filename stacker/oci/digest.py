"""Digests: the only names of content that are trusted.

A digest is checked against its grammar before it becomes a path or a URL (CVE-2024-3727), so
everything below this module takes a `Digest` and never a string from outside.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from stacker.base.errors import Invalid

HEX_LENGTHS = {"sha256": 64, "sha512": 128}
"""The registered algorithms of the image specification, with the length of their hex form."""

_GRAMMAR = re.compile(r"(sha256|sha512):([0-9a-f]+)", re.ASCII)
_LONGEST = len("sha512:") + HEX_LENGTHS["sha512"]


class Hasher(Protocol):
    """What hashlib makes."""

    @property
    def name(self) -> str: ...
    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """An algorithm and lower-case hex of its length. Make one with `parse` or `of`."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @property
    def short(self) -> str:
        """The twelve characters that people read."""
        return self.hex[:12]

    def hasher(self) -> Hasher:
        """An empty hash of this digest's algorithm."""
        return hashlib.new(self.algorithm)

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Check a digest from outside."""
        match = _GRAMMAR.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None or len(match[2]) != HEX_LENGTHS[match[1]]:
            raise Invalid(f"{text[:80]!r} is not a digest (sha256: and 64 lower-case hex digits)")

        return cls(match[1], match[2])


def of(data: bytes, *, algorithm: str = "sha256") -> Digest:
    """The digest of bytes that are at hand."""
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


def of_hash(hasher: Hasher) -> Digest:
    """The digest that a hash has come to."""
    return Digest(hasher.name, hasher.hexdigest())
