"""Durations as Go writes them: `1m30s`, `500ms`."""

from __future__ import annotations

import re
from fractions import Fraction

from stacker.base.errors import Invalid

NANOSECONDS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(h|ms|m|s|us|ns)", re.ASCII)


def parse_ns(text: str) -> int:
    """Nanoseconds; `0` needs no unit."""
    total, position = Fraction(0), 0
    for match in _PART.finditer(text):
        if match.start() != position:
            break
        total += Fraction(match[1]) * NANOSECONDS[match[2]]
        position = match.end()
    if text == "0":
        return 0
    if not text or position != len(text):
        raise Invalid(f"{text[:40]!r} is not a duration such as 30s or 1m30s")

    return int(total)
