"""Names of things: the ids that stacker makes, and the names it takes from outside.

A name becomes a file name, a cgroup and an argument, so its grammar allows no separator, no
leading dot and no leading dash.
"""

from __future__ import annotations

import re
import secrets

ID_LENGTH = 64
NAME_LIMIT = 128

_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*", re.ASCII)
_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


def new_id() -> str:
    """64 random hex digits, as Docker's ids look."""
    return secrets.token_hex(ID_LENGTH // 2)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def is_valid(name: str) -> bool:
    """Whether a name may name a stack, a container, a network or a volume."""
    return len(name) <= NAME_LIMIT and _NAME.fullmatch(name) is not None
