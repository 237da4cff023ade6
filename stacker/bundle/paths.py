"""Files of /proc and /sys that a container cannot read, or cannot write.

The union of what Docker and Podman hide; `privileged` and `systempaths=unconfined` show all.
"""

from __future__ import annotations

from stacker.base.facts import HostFacts
from stacker.stack.model.service import Service

_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
)

_READ_ONLY = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)


def masked(service: Service, facts: HostFacts) -> list[str]:
    if _shows_all(service):
        return []
    throttling = [
        f"/sys/devices/system/cpu/cpu{number}/thermal_throttle"
        for number in range(facts.cpus if facts.thermal_throttle else 0)
    ]
    return [*_MASKED, *throttling]


def read_only(service: Service) -> list[str]:
    return [] if _shows_all(service) else list(_READ_ONLY)


def _shows_all(service: Service) -> bool:
    return service.privileged or service.security_opt.unmask
