"""What this host is: read once, when the supervisor starts. Cheap, and nothing is changed.

A file that is missing means the host lacks the thing, never an error.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from stacker.base.facts import HostFacts
from stacker.drivers.host import cgroups

# the kernel's name of the machine -> the name that images use
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}

# in the order of their numbers (kernel: include/uapi/linux/capability.h)
_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)

_ULIMITS = {
    "as": resource.RLIMIT_AS,
    "core": resource.RLIMIT_CORE,
    "cpu": resource.RLIMIT_CPU,
    "data": resource.RLIMIT_DATA,
    "fsize": resource.RLIMIT_FSIZE,
    "memlock": resource.RLIMIT_MEMLOCK,
    "msgqueue": resource.RLIMIT_MSGQUEUE,
    "nice": resource.RLIMIT_NICE,
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
    "rss": resource.RLIMIT_RSS,
    "rtprio": resource.RLIMIT_RTPRIO,
    "rttime": resource.RLIMIT_RTTIME,
    "sigpending": resource.RLIMIT_SIGPENDING,
    "stack": resource.RLIMIT_STACK,
}


def probe() -> HostFacts:
    uname = os.uname()
    found = cgroups.probe()
    return HostFacts(
        architecture=_ARCHITECTURES.get(uname.machine, uname.machine),
        kernel=kernel_version(uname.release),
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        cgroup_mode=found.mode,
        cgroup_controllers=found.controllers,
        swap_limit=found.swap_limit,
        capabilities=_capabilities(_text("/proc/self/status")),
        rlimits=_hard_limits(),
        seccomp=os.path.exists("/proc/sys/kernel/seccomp/actions_avail"),
        apparmor=_text("/sys/module/apparmor/parameters/enabled").strip() == "Y",
        selinux=_text("/sys/fs/selinux/enforce").strip() == "1",
        thermal_throttle=os.path.exists("/sys/devices/system/cpu/cpu0/thermal_throttle"),
    )


def kernel_version(release: str) -> tuple[int, int, int]:
    """The numbers at the start of `6.1.0-18-amd64`; what is no number counts as 0."""
    parts = release.split("-", 1)[0].split("+", 1)[0].split(".")
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in parts[:3]]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return major, minor, patch


def _capabilities(status: str) -> frozenset[str]:
    """Those this process is permitted."""
    for line in status.splitlines():
        if line.startswith("CapPrm:"):
            mask = int(line.split()[1], 16)
            names = enumerate(_CAPABILITIES.split())
            return frozenset(f"CAP_{name}" for number, name in names if mask >> number & 1)
    return frozenset()


def _hard_limits() -> dict[str, int]:
    limits = {name: resource.getrlimit(kind)[1] for name, kind in _ULIMITS.items()}
    return {name: hard for name, hard in limits.items() if hard != resource.RLIM_INFINITY}


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
