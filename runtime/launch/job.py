"""All that the parent has decided before it forks: what the other processes carry out.

Nothing in it is looked up again later: files are open, profiles compiled, names turned to numbers.
"""

from __future__ import annotations

from runtime.rootfs.detached import Detached
from runtime.spec.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from runtime.cgroups.cgroup import Cgroup
    from runtime.cgroups.mounts import CgroupMount
    from runtime.launch.channel import Channel
    from runtime.launch.net_devices import Moving
    from runtime.namespaces import Plan
    from runtime.rootfs.maker import Maker
    from runtime.security.capabilities import CapabilitySets
    from runtime.security.rlimits import Rlimit
    from runtime.security.seccomp.load import Filter
    from runtime.spec.model import Json, Process, Spec
    from runtime.spec.scheduling import CpuAffinity


class Job(Record):
    """For `create` and `run` all of it; `exec` has no plan of mounts and no listener."""

    spec: Spec
    process: Process
    bundle: str
    rootfs: str
    cgroup: Cgroup
    capabilities: CapabilitySets
    rlimits: tuple[Rlimit, ...]
    seccomp: Filter | None
    plan: Plan
    cgroup_mounts: tuple[CgroupMount, ...] = ()
    listener: _socket.socket | None = None
    console_socket: _socket.socket | None = None
    preserved_fds: tuple[int, ...] = ()
    listen_fds: int = 0
    listen_names: str = ""
    pidfd_socket: _socket.socket | None = None
    notify: int = -1  # a detached mount
    pivot: bool = True
    new_keyring: bool = True
    unprivileged: bool = False  # the caller is not root
    moving: tuple[Moving, ...] = ()
    exec_affinity: CpuAffinity | None = None
    home: str = "/"
    hook_state: Json = {}  # noqa: RUF012 - records are frozen
    shares_mounts: bool = False  # see rootfs/shared.py
    opened_root: int = -1  # see sources.py
    opened_sources: dict[int, int] = {}  # noqa: RUF012 - records are frozen


class Init:
    """The process on its way: the job, the channel to the parent, and what steps hand on."""

    __slots__ = (
        "caller", "channel", "environment", "filtered", "home", "in_unified", "job", "labels",
        "late_readonly", "maker", "outside", "program", "root", "slave",
    )  # fmt: skip

    def __init__(self, job: Job, channel: Channel, *, in_unified: bool) -> None:
        self.job = job
        self.channel = channel
        self.in_unified = in_unified
        self.root = -1
        self.maker: Maker = Detached()
        self.slave = -1
        self.late_readonly: list[int] = []
        self.labels: list[tuple[int, str, str]] = []
        self.home = job.home
        self.outside = False  # of the working directory, which root could not enter
        self.filtered = False
        self.environment: dict[str, str] = {}
        self.program = ""
        self.caller: _socket.socket | None = None
