"""devices, version 1: rules as lines for `devices.allow` and `devices.deny`.

The kernel holds a default and a list of exceptions to it; a rule for all devices resets both.
(kernel: admin-guide/cgroup-v1/devices.rst)
"""

from __future__ import annotations

from runtime.cgroups.writes import Ignored, Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.device_rules import DeviceRule


def plan(rules: list[DeviceRule]) -> list[Write | Ignored]:
    return [
        Write("devices.allow" if rule.allow else "devices.deny", _line(rule), "devices")
        for rule in rules
    ]


def _line(rule: DeviceRule) -> str:
    if rule.is_reset:
        return "a"
    major = "*" if rule.major is None else str(rule.major)
    minor = "*" if rule.minor is None else str(rule.minor)
    return f"{rule.kind} {major}:{minor} {rule.access}"
