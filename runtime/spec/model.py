"""The runtime specification's config.json, as far as this runtime acts on it.

Field names are the specification's in snake case. Parts that one module alone understands
(resources, seccomp, capabilities, rlimits) stay as checked JSON objects and are read there.
"""

from __future__ import annotations

from runtime.spec.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from runtime.spec.execution import MemoryPolicy
    from runtime.spec.intel_rdt import IntelRdt
    from runtime.spec.net_devices import NetDevice
    from runtime.spec.scheduling import CpuAffinity, IoPriority, Scheduler

    Json: TypeAlias = dict[str, Any]


class User(Record):
    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()


class Process(Record):
    args: tuple[str, ...]
    cwd: str
    env: tuple[str, ...] = ()
    user: User = User()
    terminal: bool = False
    console_size: tuple[int, int] | None = None  # rows, columns
    capabilities: Json | None = None
    rlimits: tuple[Json, ...] = ()
    no_new_privileges: bool = False
    apparmor_profile: str = ""
    selinux_label: str = ""
    oom_score_adj: int | None = None
    scheduler: Scheduler | None = None
    io_priority: IoPriority | None = None
    exec_cpu_affinity: CpuAffinity | None = None


class Mount(Record):
    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()


class Hook(Record):
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] | None = None
    """None: what the surroundings have, the caller's or, of startContainer, the process's."""
    timeout: int | None = None


class Hooks(Record):
    prestart: tuple[Hook, ...] = ()
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


class Namespace(Record):
    type: str  # the specification's word: pid, network, mount, ipc, uts, user, cgroup, time
    path: str = ""


class Device(Record):
    path: str
    type: str
    major: int = 0
    minor: int = 0
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


class IdMapping(Record):
    container_id: int
    host_id: int
    size: int


class TimeOffset(Record):
    clock: str  # monotonic or boottime
    secs: int = 0
    nanosecs: int = 0


class Linux(Record):
    namespaces: tuple[Namespace, ...] = ()
    devices: tuple[Device, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    time_offsets: tuple[TimeOffset, ...] = ()
    net_devices: tuple[NetDevice, ...] = ()
    cgroups_path: str = ""
    resources: Json = {}  # noqa: RUF012 - records are frozen and nobody writes into their parts
    intel_rdt: IntelRdt | None = None
    memory_policy: MemoryPolicy | None = None
    personality: int | None = None
    seccomp: Json | None = None
    rootfs_propagation: str = ""
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    mount_label: str = ""
    sysctl: dict[str, str] = {}  # noqa: RUF012 - as above


class Spec(Record):
    version: str
    root_path: str
    root_readonly: bool = False
    process: Process | None = None
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    hooks: Hooks = Hooks()
    annotations: dict[str, str] = {}  # noqa: RUF012 - as above
    linux: Linux = Linux()

    def has_namespace(self, kind: str) -> bool:
        return any(namespace.type == kind for namespace in self.linux.namespaces)

    def has_own_namespace(self, kind: str) -> bool:
        """A new one, not one that is joined by its path."""
        return self.has_namespace(kind) and not self.namespace_path(kind)

    def namespace_path(self, kind: str) -> str:
        """The path the namespace is joined by; empty when it is new, or not asked for."""
        for namespace in self.linux.namespaces:
            if namespace.type == kind:
                return namespace.path
        return ""
