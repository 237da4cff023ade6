"""What a host is and can do: probed once by `drivers/host`, an argument of all that is pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CgroupMode = Literal["v1", "hybrid", "v2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    architecture: str
    """As images name it: `amd64`, `arm64`, `riscv64`."""
    kernel: tuple[int, int, int]
    cpus: int
    """Those this process may run on."""
    memory_bytes: int
    cgroup_mode: CgroupMode
    cgroup_controllers: frozenset[str]
    """Names of version 2: `cpu`, `memory`, `io`, `pids`, `cpuset`, `hugetlb`, `devices`."""
    swap_limit: bool = False
    """A limit on memory and swap together can be set."""
    capabilities: frozenset[str] = frozenset()
    """`CAP_…` that can be given to a container: what this process itself holds."""
    rlimits: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)
    """Hard limits of this process by the name of ulimits (`nofile`), without the unlimited ones."""
    seccomp: bool = True
    apparmor: bool = False
    selinux: bool = False
    """Enabled and enforcing."""
    thermal_throttle: bool = False
    """The kernel shows each processor's throttling, which tells neighbours apart."""

    @property
    def can_raise_rlimits(self) -> bool:
        return "CAP_SYS_RESOURCE" in self.capabilities
