"""Which namespaces a container gets: the ones to make, and fds of the ones to join.

`launch/parent.py` plans, while paths still mean what the caller meant; `launch/bootstrap.py` acts.
"""

from __future__ import annotations

import os

from runtime.errors import NotSupported, SpecInvalid, step
from runtime.linux.namespaces import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    namespace_type,
    setns,
    unshare,
)
from runtime.spec.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Namespace

FLAGS = {
    "user": CLONE_NEWUSER,
    "pid": CLONE_NEWPID,
    "network": CLONE_NEWNET,
    "ipc": CLONE_NEWIPC,
    "uts": CLONE_NEWUTS,
    "mount": CLONE_NEWNS,
    "cgroup": CLONE_NEWCGROUP,
    "time": CLONE_NEWTIME,
}
# the names under /proc/<pid>/ns
FILES = {
    "user": "user",
    "pid": "pid",
    "network": "net",
    "ipc": "ipc",
    "uts": "uts",
    "mount": "mnt",
    "cgroup": "cgroup",
    "time": "time",
}


class Plan(Record):
    """`new` is a mask of CLONE_NEW flags; `join` and `join_late` are (fd, flags).

    The stage between joins `join`, the user namespace first; the new process itself joins
    `join_late` (a pidfd and all the flags at once: only `exec` has it).
    """

    new: int = 0
    join: tuple[tuple[int, int], ...] = ()
    join_late: tuple[tuple[int, int], ...] = ()

    @property
    def new_user(self) -> bool:
        return bool(self.new & CLONE_NEWUSER)

    @property
    def has_user(self) -> bool:
        return self.new_user or any(flags & CLONE_NEWUSER for _, flags in self.join)

    @property
    def new_network(self) -> bool:
        return bool(self.new & CLONE_NEWNET)

    @property
    def new_time(self) -> bool:
        return bool(self.new & CLONE_NEWTIME)

    @property
    def new_cgroup(self) -> bool:
        return bool(self.new & CLONE_NEWCGROUP)

    @property
    def new_early(self) -> int:
        """What the stage between makes after the user namespace, in whose ownership they are."""
        return self.new & ~(CLONE_NEWUSER | CLONE_NEWCGROUP)

    def close(self) -> None:
        for fd in {fd for fd, _ in (*self.join, *self.join_late)}:
            os.close(fd)


def plan_namespaces(namespaces: tuple[Namespace, ...]) -> Plan:
    new = 0
    join: list[tuple[int, int]] = []
    for index, namespace in enumerate(namespaces):
        flag = FLAGS[namespace.type]
        where = f"linux.namespaces[{index}]"
        if not os.path.exists(f"/proc/self/ns/{FILES[namespace.type]}"):
            raise NotSupported(f"{where}: this kernel has no {namespace.type} namespaces")
        if namespace.path:
            join.append((_open(namespace, where), flag))
        else:
            new |= flag
    # a user namespace first: it owns the others, and joining them takes its capabilities
    join.sort(key=lambda entry: entry[1] != CLONE_NEWUSER)
    return Plan(new=new, join=tuple(join))


def plan_entry(pid: int, pidfd: int) -> Plan:
    """Into all the namespaces of a process that are not already ours (setns(2), Linux 5.8)."""
    mask = 0
    with step(f"compare the namespaces of process {pid}"):
        for kind, file in FILES.items():
            if not os.path.exists(f"/proc/self/ns/{file}"):
                continue
            theirs, ours = os.stat(f"/proc/{pid}/ns/{file}"), os.stat(f"/proc/self/ns/{file}")
            if theirs.st_ino != ours.st_ino:
                mask |= FLAGS[kind]
    early = mask & (CLONE_NEWUSER | CLONE_NEWPID)
    # these may be another user namespace's than the container's: see enter_joined
    foreign = mask & (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) if mask & CLONE_NEWUSER else 0
    late = mask & ~early & ~foreign
    join = tuple((pidfd, flags) for flags in (foreign, early) if flags)
    return Plan(join=join, join_late=((pidfd, late),) if late else ())


def enter_joined(plan: Plan) -> None:
    """With the caller's rights first: a namespace that is not the user namespace's would be out of
    reach from inside of it. Those that only it gives rights to follow it."""
    first = [entry for entry in plan.join if not entry[1] & CLONE_NEWUSER]
    after = [entry for entry in first if not _try_to_join(*entry)]
    for fd, flag in (*(entry for entry in plan.join if entry not in first), *after):
        with step(f"join the {_name(flag)} namespace"):
            setns(fd, flag)


def _try_to_join(fd: int, flag: int) -> bool:
    try:
        setns(fd, flag)
    except OSError:
        return False
    return True


def make_new(flags: int) -> None:
    with step("make the namespaces"):
        unshare(flags)


def _open(namespace: Namespace, where: str) -> int:
    with step(f"{where}.path: open {namespace.path}"):
        fd = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        kind = namespace_type(fd)
    except OSError:
        kind = 0
    if kind != FLAGS[namespace.type]:
        os.close(fd)
        raise SpecInvalid(f"{where}.path: {namespace.path} is not a {namespace.type} namespace")
    return fd


def _name(flags: int) -> str:
    return " and ".join(name for name, flag in FLAGS.items() if flag & flags)
