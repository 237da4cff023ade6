"""What a group of processes costs: wall time, processor time of all of them, of the machine.

Daemons and commands of one contender go into a version 2 cgroup of their own, whose `cpu.stat`
counts them and all their children, living or gone; no controller is needed for it.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    wall_s: float
    cpu_s: float
    """Of the contender's processes."""
    machine_s: float
    """Of all that ran meanwhile: also the kernel's own threads, the registry, and strangers."""


class Account:
    """A cgroup to start processes in."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def start(
        self, *command: str, env: Mapping[str, str] | None = None, log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a process that is counted from its first instruction on."""
        with log.open("wb") as out:
            return subprocess.Popen([*self._entering(), *command], env=env, stdout=out, stderr=out)

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        """As `run_to_end`."""
        run_to_end(*command, env=env, by=self._entering())

    def cost(self, *command: str, env: Mapping[str, str] | None = None) -> Cost:
        """Run to the end, and say what it and the group's daemons took for it."""
        group, machine, began = self._used_s(), machine_s(), time.perf_counter()
        self.run(*command, env=env)
        wall_s = time.perf_counter() - began
        return Cost(wall_s=wall_s, cpu_s=self._used_s() - group, machine_s=machine_s() - machine)

    def _entering(self) -> tuple[str, ...]:
        enter = f'echo $$ > {self._path}/cgroup.procs && exec "$@" < /dev/null'
        return ("sh", "-c", enter, "sh")

    def _used_s(self) -> float:
        words = (self._path / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1e6


def run_to_end(*command: str, env: Mapping[str, str] | None = None, by: Sequence[str] = ()) -> None:
    """Run a command, which `by` starts; a failure ends the benchmark with what was said."""
    done = subprocess.run(
        [*by, *command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-2000:]}")


@contextmanager
def account(name: str) -> Generator[Account]:
    """A new cgroup; whoever started processes in it has ended them when the block ends."""
    path = _unified() / f"stacker-bench-{os.getpid()}-{name}"
    path.mkdir()
    try:
        yield Account(path)
    finally:
        deadline = time.monotonic() + 10
        while (path / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in sorted((each for each in path.rglob("*") if each.is_dir()), reverse=True):
            child.rmdir()
        path.rmdir()


def drop_page_cache() -> None:
    """Nothing that is on a disk is in memory after it; what is on tmpfs stays."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def peak_reset(pid: int) -> int:
    """Begin to watch a process's memory anew; what it has now, in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _status(pid, "VmRSS")


def peak(pid: int) -> int:
    """The most that a process has had since, in bytes."""
    return _status(pid, "VmHWM")


def _status(pid: int, field: str) -> int:
    words = Path(f"/proc/{pid}/status").read_text().split()
    return int(words[words.index(f"{field}:") + 1]) * 1024


def machine_s() -> float:
    user, nice, system, _, _, irq, softirq = Path("/proc/stat").read_text().split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / os.sysconf("SC_CLK_TCK")


def _unified() -> Path:
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    found = next((Path(words[1]) for words in mounts if words[2] == "cgroup2"), None)
    if found is None:
        raise SystemExit("no version 2 cgroups are mounted: processor time cannot be counted")
    return found
