"""The leak audit: what a test may not leave on the host.

Processes, mounts, cgroups, links, named network namespaces, nftables tables, and the sysctls that
stacker touches. A snapshot is taken before and after; the difference must be empty.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, fields
from pathlib import Path

from tests.support.slowness import SLOWNESS

SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/forwarding",
    "net/ipv4/conf/all/route_localnet",
)
PATIENCE_S = 10.0 * SLOWNESS
"""PID 1 of this kind of machine reaps late, and the kernel frees namespaces in the background."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    processes: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    links: frozenset[str]
    tables: frozenset[str]
    sysctls: frozenset[str]

    def leaked(self, later: Snapshot) -> dict[str, list[str]]:
        """Return what is there later and was not before, by kind."""
        found: dict[str, list[str]] = {}
        for field in fields(self):
            more = getattr(later, field.name) - getattr(self, field.name)
            if more:
                found[field.name] = sorted(more)
        return found


def snapshot(marker: str, tag: str) -> Snapshot:
    """``marker``: the test's directory; ``tag``: what the names of links and cgroups carry."""
    return Snapshot(
        processes=frozenset(_processes(marker)),
        mounts=frozenset(_mounts(marker)),
        cgroups=frozenset(_cgroups(tag)),
        links=frozenset(name for name in os.listdir("/sys/class/net") if tag in name),
        tables=frozenset(_tables(tag)),
        sysctls=frozenset(
            f"{name}={Path('/proc/sys', name).read_text().strip()}" for name in SYSCTLS
        ),
    )


def assert_none(before: Snapshot, marker: str, tag: str) -> None:
    """Fail with the list of what is left, when it does not go away by itself."""
    deadline = time.monotonic() + PATIENCE_S
    while leaked := before.leaked(snapshot(marker, tag)):
        if time.monotonic() > deadline:
            raise AssertionError(f"left behind: {leaked}")
        time.sleep(0.05)


def _processes(marker: str) -> list[str]:
    found: list[str] = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            command = Path("/proc", entry, "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = Path("/proc", entry, "environ").read_bytes()
            root = os.readlink(f"/proc/{entry}/root")
        except OSError:
            continue
        if marker in command or marker in root or f"STACKER_ROOT={marker}".encode() in environment:
            found.append(f"{entry} {command}")
    return found


def _mounts(marker: str) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if marker in line]


def _cgroups(tag: str) -> list[str]:
    return [directory for directory, _, _ in os.walk("/sys/fs/cgroup") if tag in directory]


def _tables(tag: str) -> list[str]:
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if tag in line]
