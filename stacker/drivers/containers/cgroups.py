"""Reads the cgroups of a container: what it uses, who is in it, whether the kernel killed.

The paths are found once, from the process itself, so nothing here knows how a runtime names
them. Version 1, version 2 and both at once: each figure is a row with the file of either.
"""

from __future__ import annotations

import contextlib
import glob
import os
import time
from collections.abc import Callable
from functools import cache

from stacker.drivers.containers import kernel
from stacker.plan.container_specs import StatsSample

Cgroups = dict[str, str]
"""Controller → directory; the version 2 tree is ``""``."""

_UNLIMITED = 1 << 60
"""Version 1 says "no limit" as the largest multiple of a page."""


def of_process(pid: int) -> Cgroups:
    """Find the directories; empty when the process has gone."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            lines = file.read().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    found: Cgroups = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            mount = _mounts().get(controller)
            # a process that left its cgroup, or one in the root, has nothing that is its own
            if mount is not None and path != "/" and not path.startswith("/.."):
                found[controller] = mount + path
    return found


def of_container(container_id: str) -> Cgroups:
    """Find the directories by their name, where nothing else is known of a container."""
    return {
        controller: path
        for controller, mount in _mounts().items()
        for path in glob.glob(f"{glob.escape(mount)}/*/{container_id}")
    }


def processes(found: Cgroups) -> list[int]:
    """Return everybody in the container's cgroups, those below included."""
    directory = found.get("", found.get("pids", found.get("memory")))
    pids: list[int] = []
    if directory is not None:
        for path, _, _ in os.walk(directory):
            with contextlib.suppress(OSError), open(f"{path}/cgroup.procs") as file:
                pids += [int(word) for word in file.read().split()]
    return pids


def contains(found: Cgroups, pid: int) -> bool:
    """Whether a process is (still) in these cgroups."""
    now = of_process(pid)
    return any(
        controller in now and (now[controller] + "/").startswith(path + "/")
        for controller, path in found.items()
    )


def signal_all(found: Cgroups, signum: int) -> bool:
    """Signal every process of the container through its pidfd; False when nobody is there."""
    pids = processes(found)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            try:
                # looked at after the pidfd is held: a pid that was used again is not in there
                if contains(found, pid):
                    kernel.send_signal(pidfd, signum)
            finally:
                os.close(pidfd)
    return bool(pids)


def oom_kills(found: Cgroups) -> int:
    return _oom_kills(found) or 0


def remove_empty(found: Cgroups) -> None:
    """Remove what a runtime left behind; never one in which somebody is."""
    for directory in found.values():
        for path, _, _ in os.walk(directory, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)


def sample(container_id: str, found: Cgroups) -> StatsSample:
    """Measure now."""
    read_bytes, write_bytes = _io(found)
    return StatsSample(
        container_id=container_id,
        at=time.time(),
        cpu_ns=_cpu_ns(found),
        throttled_ns=_throttled_ns(found),
        memory_bytes=_memory(found),
        memory_limit_bytes=_either(
            found, "memory", ("memory.max", "memory.limit_in_bytes"), _limit
        ),
        memory_peak_bytes=_either(
            found, "memory", ("memory.peak", "memory.max_usage_in_bytes"), int
        ),
        oom_kills=_oom_kills(found),
        pids=_either(found, "pids", ("pids.current", "pids.current"), int),
        pids_limit=_either(found, "pids", ("pids.max", "pids.max"), _limit),
        read_bytes=read_bytes,
        write_bytes=write_bytes,
    )


def _cpu_ns(found: Cgroups) -> int | None:
    if "cpuacct" in found:
        return _either(found, "cpuacct", ("", "cpuacct.usage"), int)
    usage = _key(found, "", "cpu.stat", b"usage_usec")
    return usage * 1000 if usage is not None else None


def _throttled_ns(found: Cgroups) -> int | None:
    if "cpu" in found:
        return _key(found, "cpu", "cpu.stat", b"throttled_time")
    throttled = _key(found, "", "cpu.stat", b"throttled_usec")
    return throttled * 1000 if throttled is not None else None


def _memory(found: Cgroups) -> int | None:
    """Without the page cache that the kernel would give back first, as docker counts."""
    used = _either(found, "memory", ("memory.current", "memory.usage_in_bytes"), int)
    if used is None:
        return None
    one = "memory" in found
    key = b"total_inactive_file" if one else b"inactive_file"
    cache_bytes = _key(found, "memory" if one else "", "memory.stat", key) or 0
    return max(0, used - cache_bytes)


def _oom_kills(found: Cgroups) -> int | None:
    if "memory" in found:
        return _key(found, "memory", "memory.oom_control", b"oom_kill")
    return _key(found, "", "memory.events", b"oom_kill")


def _io(found: Cgroups) -> tuple[int | None, int | None]:
    if "blkio" in found:
        text = _read(found["blkio"] + "/blkio.throttle.io_service_bytes") or b""
        words = [line.split() for line in text.splitlines()]
        return (
            sum(int(w[2]) for w in words if len(w) == 3 and w[1] == b"Read"),
            sum(int(w[2]) for w in words if len(w) == 3 and w[1] == b"Write"),
        )
    text = _read(found[""] + "/io.stat") if "" in found else None
    if text is None:
        return None, None
    pairs = [word.split(b"=") for line in text.splitlines() for word in line.split()[1:]]
    return (
        sum(int(pair[1]) for pair in pairs if pair[0] == b"rbytes"),
        sum(int(pair[1]) for pair in pairs if pair[0] == b"wbytes"),
    )


def _limit(text: bytes) -> int | None:
    if text == b"max":
        return None
    return None if int(text) >= _UNLIMITED else int(text)


def _either(
    found: Cgroups,
    controller: str,
    files: tuple[str, str],
    parse: Callable[[bytes], int | None],
) -> int | None:
    """Read a figure from the file of version 2, or of version 1 where that has the controller."""
    directory, name = (
        (found[controller], files[1]) if controller in found else (found.get(""), files[0])
    )
    text = _read(f"{directory}/{name}") if directory is not None else None
    return parse(text.strip()) if text is not None else None


def _key(found: Cgroups, controller: str, name: str, key: bytes) -> int | None:
    directory = found.get(controller)
    text = _read(f"{directory}/{name}") if directory is not None else None
    if text is None:
        return None
    at = (b"\n" + text).find(b"\n" + key + b" ")
    return int(text[at + len(key) + 1 :].split(maxsplit=1)[0]) if at >= 0 else None


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(65536)
    except OSError:
        return None


@cache
def _mounts() -> dict[str, str]:
    """Controller → where its hierarchy is mounted; version 2 is ``""``."""
    mounts: dict[str, str] = {}
    with open("/proc/self/mounts") as file:
        for line in file:
            _, target, kind, options = line.split()[:4]
            if kind == "cgroup2":
                mounts.setdefault("", target)
            elif kind == "cgroup":
                for option in options.split(","):
                    mounts.setdefault(option, target)
    return mounts
