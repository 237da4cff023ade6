"""`linux.resources` as properties of a unit (systemd.resource-control(5)). Pure.

The files of the cgroup are written as well, and they are exact. The properties are for systemd,
which would otherwise put its own values back when it next looks at the unit. What it has no
property for it leaves alone, because the scope is delegated.
"""

from __future__ import annotations

from runtime.cgroups.device_rules import device_rules
from runtime.cgroups.formats import ranges
from runtime.cgroups.systemd.marshal import Variant
from runtime.cgroups.v2.cpu import weight_of_shares
from runtime.cgroups.v2.io import weight_of_block
from runtime.cgroups.writes import integer, section, word
from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.detect import Layout
    from runtime.cgroups.device_rules import DeviceRule
    from runtime.cgroups.systemd.unit import SystemdPath
    from runtime.cgroups.writes import Section

    Property = tuple[str, Variant]

_INFINITY = 2**64 - 1
_SECOND_US = 1_000_000
_PERIOD_US = 100_000
_PERCENT_US = 10_000
# files of `linux.resources.unified` that have a property: file -> name
_UNIFIED = {
    "memory.min": "MemoryMin",
    "memory.low": "MemoryLow",
    "memory.high": "MemoryHigh",
    "memory.max": "MemoryMax",
    "memory.swap.max": "MemorySwapMax",
    "pids.max": "TasksMax",
    "cpu.weight": "CPUWeight",
}
_KINDS = {"b": "block", "c": "char"}


def unit_properties(path: SystemdPath, identity: str, pid: int) -> list[Property]:
    """What the unit is; what it may use is `resource_properties`."""
    common = [
        ("Description", Variant("s", f"container {identity}")),
        ("DefaultDependencies", Variant("b", False)),
        ("CollectMode", Variant("s", "inactive-or-failed")),
        ("MemoryAccounting", Variant("b", True)),
        ("CPUAccounting", Variant("b", True)),
        ("TasksAccounting", Variant("b", True)),
        ("IOAccounting", Variant("b", True)),
    ]
    if path.is_slice:
        return common
    return [
        *common,
        ("Slice", Variant("s", path.slice)),
        ("Delegate", Variant("b", True)),
        ("PIDs", Variant("au", [pid])),
    ]


def resource_properties(layout: Layout, resources: Section) -> list[Property]:
    """Only for what is given, so that the same serves an update."""
    return [
        *_memory(resources, _version(layout, "memory")),
        *_cpu(resources, _version(layout, "cpu")),
        *_cpuset(resources, _version(layout, "cpuset")),
        *_pids(resources),
        *_io(resources, 2 if layout.holder("io") else 1),
        *_unified(resources),
        *_devices(device_rules(resources)),
    ]


def _version(layout: Layout, controller: str) -> int:
    holder = layout.holder(controller)
    return 2 if holder is None else holder.version


def _memory(resources: Section, version: int) -> list[Property]:
    memory = section(resources, "memory")
    limit, reservation, swap = (
        integer(memory, key, f"memory.{key}") or 0 for key in ("limit", "reservation", "swap")
    )
    found: list[Property] = []
    if limit:
        found.append(("MemoryLimit" if version == 1 else "MemoryMax", _bytes(limit)))
    if version == 2 and reservation:
        found.append(("MemoryLow", _bytes(reservation)))
    if version == 2 and (swap < 0 or 0 < limit <= swap):
        found.append(("MemorySwapMax", _bytes(swap if swap < 0 else swap - limit)))
    return found


def _cpu(resources: Section, version: int) -> list[Property]:
    cpu = section(resources, "cpu")
    shares, quota, period = (
        integer(cpu, key, f"cpu.{key}") or 0 for key in ("shares", "quota", "period")
    )
    found: list[Property] = []
    if shares and version == 1:
        found.append(("CPUShares", _unsigned(shares)))
    elif shares:
        found.append(("CPUWeight", _unsigned(weight_of_shares(shares))))
    if period:
        found.append(("CPUQuotaPeriodUSec", _unsigned(period)))
    if quota:
        found.append(("CPUQuotaPerSecUSec", _unsigned(_per_second(quota, period))))
    return found


def _per_second(quota: int, period: int) -> int:
    """systemd keeps whole percents of a processor: rounded up, so that its limit is the looser."""
    if quota < 0:
        return _INFINITY
    exact = -(-quota * _SECOND_US // (period or _PERIOD_US))
    return -(-exact // _PERCENT_US) * _PERCENT_US


def _cpuset(resources: Section, version: int) -> list[Property]:
    """systemd has them for version 2 alone."""
    cpu = section(resources, "cpu")
    texts = {"cpus": word(cpu, "cpus", "cpu.cpus"), "mems": word(cpu, "mems", "cpu.mems")}
    if version == 2:
        unified = section(resources, "unified")
        for key in texts:
            texts[key] = word(unified, f"cpuset.{key}", f"unified.cpuset.{key}") or texts[key]
    names = {"cpus": "AllowedCPUs", "mems": "AllowedMemoryNodes"}
    return [
        (names[key], Variant("ay", _bits(ranges(text))))
        for key, text in texts.items()
        if text and version == 2
    ]


def _bits(numbers: list[int]) -> bytes:
    """A bit for each number, the lowest first."""
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask.to_bytes((mask.bit_length() + 7) // 8, "little")


def _pids(resources: Section) -> list[Property]:
    limit = integer(section(resources, "pids"), "limit", "pids.limit")
    # systemd takes no 0, and nobody could tell it from 1
    return [] if limit is None else [("TasksMax", _bytes(max(limit, 1) if limit >= 0 else limit))]


def _io(resources: Section, version: int) -> list[Property]:
    weight = integer(section(resources, "blockIO"), "weight", "blockIO.weight")
    if not weight:
        return []
    if version == 1:
        return [("BlockIOWeight", _unsigned(weight))]
    return [("IOWeight", _unsigned(weight_of_block(weight)))]


def _unified(resources: Section) -> list[Property]:
    found: list[Property] = []
    for file, value in section(resources, "unified").items():
        text = value.strip() if isinstance(value, str) else ""
        if file == "cpu.max":
            quota, _, period = text.partition(" ")
            if period.isascii() and period.isdigit():
                found.append(("CPUQuotaPeriodUSec", _unsigned(int(period))))
            limit = -1 if quota == "max" else _number(quota)
            if limit:
                per_second = _per_second(limit, _number(period))
                found.append(("CPUQuotaPerSecUSec", _unsigned(per_second)))
        elif file in _UNIFIED and (text == "max" or _number(text)):
            found.append((_UNIFIED[file], _bytes(-1 if text == "max" else int(text))))
    return found


def _devices(rules: list[DeviceRule]) -> list[Property]:
    """Where all is denied first: what is allowed then. Denials after that are in our own rules."""
    if not rules:
        return []
    allowed: dict[str, str] = {}
    strict = False
    for rule in rules:
        if rule.is_reset:
            strict, allowed = not rule.allow, {}
        elif rule.allow:
            # `char-136` is every device of that major number, `char-*` every one
            kind = _KINDS[rule.kind]
            major = "*" if rule.major is None else rule.major
            name = f"{kind}-{major}"
            if rule.major is not None and rule.minor is not None:
                name = f"/dev/{kind}/{rule.major}:{rule.minor}"
            allowed[name] = "".join(sorted({*allowed.get(name, ""), *rule.access}))
    empty: list[tuple[str, str]] = []
    return [
        ("DevicePolicy", Variant("s", "strict" if strict else "auto")),
        # an empty list takes back what an earlier one allowed
        ("DeviceAllow", Variant("a(ss)", empty)),
        *([("DeviceAllow", Variant("a(ss)", list(allowed.items())))] if strict else []),
    ]


def _bytes(value: int) -> Variant:
    return _unsigned(_INFINITY if value < 0 else value)


def _unsigned(value: int) -> Variant:
    if not 0 <= value <= _INFINITY:
        raise SpecInvalid(f"linux.resources: {value} does not fit into a property of systemd")
    return Variant("t", value)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
