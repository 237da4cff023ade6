"""When a registry is asked for an image: `pull_policy` of the Compose Specification, and `--pull`.

`daily`, `weekly` and `every_<duration>` ask again when the last time is longer ago than that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from stacker.base.errors import Invalid
from stacker.base.text import span

_EVERY = re.compile(r"every_((?:[0-9]{1,6}[wdhms])+)", re.ASCII)
_PART = re.compile(r"([0-9]+)([wdhms])", re.ASCII)
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_WORDS = {"daily": 86_400.0, "weekly": 604_800.0}

FORMS = "always, missing, never, daily, weekly, every_<duration>"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPolicy:
    when: Literal["always", "missing", "never"]
    every_s: float | None = None
    """Also when the image is here and its registry was last asked so long ago."""

    def due(self, asked_at: float | None, *, now: float) -> str | None:
        """Why an image that is here is asked for; None: it is not."""
        if self.when == "always":
            return "asked for"
        if self.every_s is None:
            return None
        if asked_at is None:
            return "its registry was never asked"
        ago = now - asked_at
        # a clock that was set back must not keep an image for ever
        if 0 <= ago < self.every_s:
            return None
        return f"its registry was asked {span(max(0.0, ago))} ago"


def parse(text: str) -> PullPolicy:
    """Read a policy, or raise Invalid."""
    if text in ("always", "never"):
        return PullPolicy(when="always" if text == "always" else "never")
    if text in ("missing", "if_not_present"):
        return PullPolicy(when="missing")
    every_s = _WORDS.get(text)
    match = _EVERY.fullmatch(text)
    if match is not None:
        every_s = float(sum(int(n) * _SECONDS[unit] for n, unit in _PART.findall(match[1])))
    if every_s is None:
        raise Invalid(f"{text[:40]!r} is none of {FORMS}")
    return PullPolicy(when="missing", every_s=every_s)
