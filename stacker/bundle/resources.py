"""`linux.resources` of config.json: how much of the host a container gets."""

from __future__ import annotations

from stacker.base.errors import Invalid
from stacker.base.facts import HostFacts
from stacker.bundle import devices
from stacker.bundle.inputs import ContainerInputs
from stacker.stack.model.service import Service
from stacker.stack.model.values import UNLIMITED

DEFAULT_PIDS = 2048

_PERIOD_US = 100_000
_SHORTEST_QUOTA_US = 1_000  # kernel: scheduler/sched-bwc.rst
_SMALLEST_MEMORY = 6 * 1024 * 1024
"""Less does not carry a process into its own program; Docker refuses the same."""
_SMALLEST_SHARES = 2


def build_resources(
    service: Service, facts: HostFacts, inputs: ContainerInputs
) -> dict[str, object]:
    limits: dict[str, object] = {
        "memory": _memory(service, facts),
        "cpu": _cpu(service),
        "pids": _pids(service, facts),
    }
    asked = {key: limit for key, limit in limits.items() if limit}
    return {"devices": devices.rules(service, inputs), **asked}


def _memory(service: Service, facts: HostFacts) -> dict[str, int]:
    limit, swap = service.mem_limit, service.memswap_limit
    memory: dict[str, int] = {}
    if limit is not None and limit != 0:
        if 0 < limit < _SMALLEST_MEMORY:
            raise Invalid(
                f"mem_limit: {limit} bytes are less than {_SMALLEST_MEMORY >> 20}m, the least"
            )
        memory["limit"] = limit
    if service.mem_reservation:
        memory["reservation"] = service.mem_reservation
    if limit is not None and 0 < limit < (service.mem_reservation or 0):
        raise Invalid("mem_reservation: is larger than mem_limit")
    if swap and (limit is None or limit <= 0) and swap != UNLIMITED:
        raise Invalid("memswap_limit: needs mem_limit")
    if limit is not None and limit > 0 and facts.swap_limit:
        # as Docker: as much swap again as memory where nothing is said
        memory["swap"] = swap or 2 * limit
        if 0 < memory["swap"] < limit:
            raise Invalid("memswap_limit: is less than mem_limit")
    return memory


def _cpu(service: Service) -> dict[str, int | str]:
    cpu: dict[str, int | str] = {}
    if service.cpus:
        quota = round(service.cpus * _PERIOD_US)
        if quota < _SHORTEST_QUOTA_US:
            raise Invalid(f"cpus: {service.cpus} is less than 0.01")
        cpu |= {"quota": quota, "period": _PERIOD_US}
    if service.cpu_shares:
        cpu["shares"] = max(service.cpu_shares, _SMALLEST_SHARES)
    if service.cpuset:
        cpu["cpus"] = service.cpuset
    return cpu


def _pids(service: Service, facts: HostFacts) -> dict[str, int]:
    limit = service.pids_limit
    if limit is None:
        # a default is not worth an error on a host that cannot count processes
        return {"limit": DEFAULT_PIDS} if "pids" in facts.cgroup_controllers else {}
    return {"limit": limit if limit > 0 else UNLIMITED}
