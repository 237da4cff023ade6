"""What the kernel holds about a process's limits: read from outside, whatever the hierarchy."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "memory": ("memory.limit_in_bytes", "memory.max"),
    "pids": ("pids.max", "pids.max"),
    "cpu": ("cpu.cfs_quota_us", "cpu.max"),
}
"""The limit's file on version 1 and on version 2."""
TOP = Path("/sys/fs/cgroup")


def limit(pid: int, controller: str, *, proc: Path = Path("/proc")) -> str:
    """Return the first word of the limit's file; ``proc`` is where that pid counts."""
    version_1, version_2 = FILES[controller]
    for line in (proc / f"{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return (TOP / controllers / path.lstrip("/") / version_1).read_text().split()[0]
    path = _unified_path(pid, proc)
    return (TOP / path.lstrip("/") / version_2).read_text().split()[0]


def _unified_path(pid: int, proc: Path = Path("/proc")) -> str:
    lines = (proc / f"{pid}/cgroup").read_text().splitlines()
    return next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
