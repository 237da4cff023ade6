"""WWW-Authenticate headers, as RFC 9110 section 11.6.1 spells them.

One header may hold several challenges, separated by the same comma that separates parameters, so
this is a small scanner and not a split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HEADER_LIMIT = 8192

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[ \t,]*({_TOKEN})(?=[ \t,]|$)")
_PARAMETER = re.compile(
    rf'[ \t,]*({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN})(?=[ \t,]|$))'
)
_TOKEN68 = re.compile(r"[ \t]+([A-Za-z0-9._~+/-]+=*)[ \t]*(?=,|$)")
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    scheme: str
    """Lower case: basic, bearer, …"""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """Names in lower case; of a doubled one the first."""


def parse(header: str) -> tuple[Challenge, ...]:
    """The challenges of one header; what cannot be read ends the list."""
    if len(header) > HEADER_LIMIT:
        return ()

    challenges: list[Challenge] = []
    position = 0
    while (match := _SCHEME.match(header, position)) is not None:
        position = match.end()
        parameters: dict[str, str] = {}
        found = _PARAMETER.match(header, position)
        if found is None and (credentials := _TOKEN68.match(header, position)):
            position = credentials.end()
        while found is not None:
            quoted, plain = found[2], found[3]
            value = _ESCAPE.sub(r"\1", quoted) if quoted is not None else plain
            parameters.setdefault(found[1].lower(), value)
            position = found.end()
            found = _PARAMETER.match(header, position)
        challenges.append(Challenge(scheme=match[1].lower(), parameters=parameters))

    return tuple(challenges)


def parse_all(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of every header of a response, in order."""
    return tuple(challenge for header in headers for challenge in parse(header))
