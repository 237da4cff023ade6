"""User and group ids of this host that containers may have, and those that somebody has now.

The ids are those that /etc/subuid and /etc/subgid give to the user ``containers``, which is where
podman takes its own from (subuid(5)); where they give none, the upper half of all ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from stacker.base.errors import Invalid
from stacker.base.id_range import LAST_ID, IdRange

OWNER = "containers"
PROC = Path("/proc")
SUBUID, SUBGID = Path("/etc/subuid"), Path("/etc/subgid")

_UPPER_HALF = IdRange(2**31, LAST_ID - 2**31)
_ALL = 2**32 - 1
"""What the initial user namespace says that it has."""


def ranges_for_containers(subuid: Path = SUBUID, subgid: Path = SUBGID) -> tuple[IdRange, ...]:
    """Return what is given as user ids and as group ids alike: a container has the same of both."""
    users, groups = _given(subuid), _given(subgid)
    if not users and not groups:
        return (_UPPER_HALF,)
    both = tuple(_common(users, groups))
    if not both:
        raise Invalid(f"{subuid} and {subgid} give {OWNER} no ids that are the same in both")
    return both


def ranges_in_use() -> frozenset[IdRange]:
    """Return what the processes of this host have mapped in user namespaces: others' containers."""
    found: set[IdRange] = set()
    for path in PROC.glob("[0-9]*/uid_map"):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue  # it has ended, or tells nobody
        for line in lines:
            _, first, size = map(int, line.split())
            if size < _ALL:
                found.add(IdRange(first, size))
    return frozenset(found)


def _given(path: Path) -> list[IdRange]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    found: list[IdRange] = []
    for line in lines:
        owner, _, numbers = line.strip().partition(":")
        first, _, size = numbers.partition(":")
        if owner == OWNER:
            if not (first.isdecimal() and size.isdecimal()):
                raise Invalid(f"{path}: {line.strip()!r} is not of the form USER:FIRST:COUNT")
            found.append(IdRange(int(first), int(size)))
    return found


def _common(some: Iterable[IdRange], others: Iterable[IdRange]) -> Iterator[IdRange]:
    others = tuple(others)
    for one in sorted(some):
        for other in sorted(others):
            first, end = max(one.first, other.first), min(one.end, other.end, LAST_ID)
            if first < end:
                yield IdRange(first, end - first)
