"""What a service asks for and gets only in part on this host: one line each, for `up` to show."""

from __future__ import annotations

from stacker.base.facts import HostFacts
from stacker.bundle import capabilities, ulimits
from stacker.stack.model.service import Service


def warnings_for(service: Service, facts: HostFacts) -> tuple[str, ...]:
    found = [
        f"cap_add: this host does not let us give {name}"
        for name in capabilities.missing(service, available=facts.capabilities)
    ]
    found += [
        f"ulimits.{name}: capped at {ulimits.ceiling(name, facts)}, this host's hard limit"
        for name in ulimits.capped(service, facts)
    ]
    if service.memswap_limit and not facts.swap_limit:
        found.append("memswap_limit: this host does not account for swap: it is not limited")
    if service.pids_limit is None and "pids" not in facts.cgroup_controllers:
        found.append("pids_limit: this host has no pids cgroup controller: the default is off")
    if not facts.seccomp:
        found.append("security_opt: this kernel has no seccomp filters")
    return tuple(found)
