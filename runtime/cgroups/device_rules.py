"""`linux.resources.devices` as a list of rules: the default, a reset, then exceptions in order.

Pure. The last rule that speaks of a device and an access decides. Where config.json has any rule,
the devices that every container has are allowed after them (runtime specification, "Default
Devices"), and nodes may be made (which opens nothing).
"""

from __future__ import annotations

from runtime.cgroups.writes import entries, integer, word
from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

_LARGEST = {"major": 0xFFF, "minor": 0xFFFFF}  # kernel: include/linux/kdev_t.h


class DeviceRule:
    """`kind` is a (all), b or c; None for a number means every one."""

    __slots__ = ("access", "allow", "kind", "major", "minor")

    def __init__(
        self, *, allow: bool, kind: str, major: int | None, minor: int | None, access: str
    ) -> None:
        self.allow = allow
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access

    @property
    def is_reset(self) -> bool:
        """It speaks of all devices: what was said before it is forgotten."""
        return self.kind == "a"


def _allowed(kind: str, major: int | None, minor: int | None, access: str) -> DeviceRule:
    return DeviceRule(allow=True, kind=kind, major=major, minor=minor, access=access)


DEFAULT_DEVICES = (
    _allowed("c", None, None, "m"),
    _allowed("b", None, None, "m"),
    _allowed("c", 1, 3, "rwm"),  # null
    _allowed("c", 1, 5, "rwm"),  # zero
    _allowed("c", 1, 7, "rwm"),  # full
    _allowed("c", 1, 8, "rwm"),  # random
    _allowed("c", 1, 9, "rwm"),  # urandom
    _allowed("c", 5, 0, "rwm"),  # tty
    _allowed("c", 5, 2, "rwm"),  # ptmx
    _allowed("c", 136, None, "rwm"),  # pts/*
)


def device_rules(resources: Section) -> list[DeviceRule]:
    """Empty where config.json says nothing of devices."""
    rules = [_parse(entry) for entry in entries(resources, "devices", "devices")]
    if not rules:
        return []
    return [*rules, *DEFAULT_DEVICES] if not _allows_all(rules) else rules


def asks_for_devices(resources: Section) -> bool:
    """Whether the rules say more than every engine writes: deny all, then the default devices."""
    rules = [_parse(entry) for entry in entries(resources, "devices", "devices")]
    usual = {(rule.kind, rule.major, rule.minor) for rule in DEFAULT_DEVICES}
    return any(
        not rule.is_reset and not (rule.allow and (rule.kind, rule.major, rule.minor) in usual)
        for rule in rules
    )


def _allows_all(rules: list[DeviceRule]) -> bool:
    return all(rule.allow for rule in rules) and any(rule.is_reset for rule in rules)


def _parse(entry: Section) -> DeviceRule:
    allow = entry.get("allow")
    if not isinstance(allow, bool):
        raise SpecInvalid("linux.resources.devices.allow: must be true or false")
    kind = word(entry, "type", "devices.type") or "a"
    if kind not in ("a", "b", "c"):
        raise SpecInvalid(f"linux.resources.devices.type: {kind} is none of a, b and c")
    access = word(entry, "access", "devices.access") or "rwm"
    if not set(access) <= set("rwm"):
        raise SpecInvalid(f"linux.resources.devices.access: {access} is not made of r, w and m")
    return DeviceRule(
        allow=allow,
        kind=kind,
        major=_number(entry, "major"),
        minor=_number(entry, "minor"),
        access=access,
    )


def _number(entry: Section, key: str) -> int | None:
    """-1 and absence mean every number."""
    value = integer(entry, key, f"devices.{key}")
    if value is not None and value > _LARGEST[key]:
        raise SpecInvalid(f"linux.resources.devices.{key}: {value} is no device number")
    return None if value is None or value < 0 else value
