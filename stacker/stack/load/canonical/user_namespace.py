"""`userns_mode`: the host's user namespace, or one with ids of the container's own."""

from __future__ import annotations

import re
from typing import Any

from stacker.stack.load.canonical.decode import refuse, text_of
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At

HOST = "host"
FEWEST, MOST = 1024, 1 << 24
"""Ids of one container: those of an image's own users below, and above more than any needs."""

_AUTO = re.compile(r"auto(?::size=([0-9]{1,10}))?", re.ASCII)
_ELSEWHERE = ("keep-id", "nomap", "ns", "container", "private", "path")
"""What podman has beside these."""


def userns_mode(at: At) -> str:
    text = text_of(at)
    if text == HOST:
        return text
    found = _AUTO.fullmatch(text)
    if found is None:
        known = text.partition(":")[0] in _ELSEWHERE or text.startswith("auto:")
        what = "is not supported" if known else "is unknown"
        refuse(at, f"userns_mode {quoted(text)} {what}: it is host, auto or auto:size=NUMBER")
    if found[1] is not None and not FEWEST <= int(found[1]) <= MOST:
        refuse(at, f"size {found[1]} is out of bounds: {FEWEST} to {MOST}")
    return text


def drop_host(found: dict[str, Any]) -> None:
    """The host's user namespace is what there is where nothing is said."""
    if found.get("userns_mode") == HOST:
        del found["userns_mode"]
