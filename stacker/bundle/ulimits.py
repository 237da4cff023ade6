"""`ulimits` of a service as `process.rlimits`, over fixed defaults.

What the host does not let us raise is capped here, because a runtime may refuse to start where
we warn (`warnings.py` tells of it).
"""

from __future__ import annotations

from stacker.base.errors import Invalid
from stacker.base.facts import HostFacts
from stacker.stack.model.security import Ulimit
from stacker.stack.model.service import Service
from stacker.stack.model.values import UNLIMITED

KINDS = frozenset(
    {
        "as",
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    }
)

DEFAULTS = {
    "core": Ulimit(soft=0, hard=0),
    "nofile": Ulimit(soft=1024, hard=524288),
    # counted by uid over all containers: the pids limit is what bounds one
    "nproc": Ulimit(soft=UNLIMITED, hard=UNLIMITED),
}

_INFINITE = 2**64 - 1


def rlimits(service: Service, facts: HostFacts) -> list[dict[str, object]]:
    wanted = {**DEFAULTS, **service.ulimits}
    found: list[dict[str, object]] = []
    for name in sorted(wanted):
        if name not in KINDS:
            raise Invalid(f"ulimits.{name}: there is no such limit")
        soft, hard = (_number(name, value) for value in (wanted[name].soft, wanted[name].hard))
        if soft > hard:
            raise Invalid(f"ulimits.{name}: soft is higher than hard")
        top = ceiling(name, facts)
        limit = {"type": f"RLIMIT_{name.upper()}", "soft": min(soft, top), "hard": min(hard, top)}
        found.append({**limit})
    return found


def ceiling(name: str, facts: HostFacts) -> int:
    """The highest hard limit that can be set here."""
    return _INFINITE if facts.can_raise_rlimits else facts.rlimits.get(name, _INFINITE)


def capped(service: Service, facts: HostFacts) -> tuple[str, ...]:
    """The limits that the service asks for and does not get in full."""
    return tuple(
        name
        for name, limit in sorted(service.ulimits.items())
        if _number(name, limit.hard) > ceiling(name, facts)
    )


def _number(name: str, value: int) -> int:
    if value == UNLIMITED:
        return _INFINITE
    if not 0 <= value <= _INFINITE:
        raise Invalid(f"ulimits.{name}: {value} is not a limit")
    return value
