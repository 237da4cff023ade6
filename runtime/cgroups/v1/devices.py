"""devices, version 1: rules as lines for `devices.allow` and `devices.deny`.

The kernel holds a default and a list of exceptions to it; a rule for all devices resets both.
(kernel: admin-guide/cgroup-v1/devices.rst)

An exception is taken back only by a rule of the very same numbers: `deny c 1:11` after
`allow c *:*` changes nothing. Such a rule would be believed and not hold, so it is refused; an
allowance that is lost in this way errs on the safe side.
"""

from __future__ import annotations

from runtime.cgroups.writes import Write
from runtime.errors import NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from runtime.cgroups.device_rules import DeviceRule

    Place: TypeAlias = tuple[str, str, str]

_EVERY = "*"
_LETTERS = "rwm"


class Table:
    """What `devices.list` says: the default, and the accesses that are exceptions to it."""

    __slots__ = ("allows", "exceptions")

    def __init__(self, *, allows: bool, exceptions: dict[Place, set[str]]) -> None:
        self.allows = allows
        self.exceptions = exceptions


def parse(listed: str) -> Table:
    """Read `devices.list`; where all is allowed it does not tell what is not."""
    exceptions: dict[Place, set[str]] = {}
    for line in listed.splitlines():
        kind, numbers, access = line.split()
        if kind == "a":
            return Table(allows=True, exceptions={})
        major, _, minor = numbers.partition(":")
        exceptions[kind, major, minor] = set(access)
    return Table(allows=False, exceptions=exceptions)


def table_of(rules: list[DeviceRule]) -> Table:
    """Where the rules lead to; a new cgroup allows all."""
    table = Table(allows=True, exceptions={})
    for rule in rules:
        if rule.is_reset:
            table = Table(allows=rule.allow, exceptions={})
            continue
        place = rule.kind, _word(rule.major), _word(rule.minor)
        if rule.allow != table.allows:
            table.exceptions.setdefault(place, set()).update(rule.access)
            continue
        if not rule.allow:
            _refuse_partial(table, place, set(rule.access))
        table.exceptions.get(place, set()).difference_update(rule.access)
    table.exceptions = {place: access for place, access in table.exceptions.items() if access}
    return table


def plan(rules: list[DeviceRule], listed: str) -> list[Write]:
    """Only what differs from `devices.list`: what stays allowed is allowed all the time."""
    current, wanted = parse(listed), table_of(rules)
    writes: list[Write] = []
    if current.allows or wanted.allows:
        # the exceptions of now are not known, or are of the other kind
        writes.append(_write("a", allow=wanted.allows))
        current = Table(allows=wanted.allows, exceptions={})
    for place, access in wanted.exceptions.items():
        fresh = access - current.exceptions.get(place, set())
        if fresh:
            writes.append(_write(_line(place, fresh), allow=not wanted.allows))
    for place, access in current.exceptions.items():
        stale = access - wanted.exceptions.get(place, set())
        if stale:
            writes.append(_write(_line(place, stale), allow=wanted.allows))
    return writes


def _refuse_partial(table: Table, place: Place, access: set[str]) -> None:
    """A rule that takes back a part of a wider exception."""
    for other, excepted in table.exceptions.items():
        if other != place and _meet(other, place) and access & excepted:
            raise NotSupported(
                f"linux.resources.devices: {_line(place, access)} cannot be denied in cgroup"
                f" version 1 after {_line(other, excepted)} was allowed"
            )


def _meet(one: Place, other: Place) -> bool:
    return all(_EVERY in (a, b) or a == b for a, b in zip(one, other, strict=True))


def _write(line: str, *, allow: bool) -> Write:
    return Write("devices.allow" if allow else "devices.deny", line, "devices")


def _line(place: Place, access: set[str]) -> str:
    kind, major, minor = place
    letters = "".join(letter for letter in _LETTERS if letter in access)
    return f"{kind} {major}:{minor} {letters}"


def _word(number: int | None) -> str:
    return _EVERY if number is None else str(number)
