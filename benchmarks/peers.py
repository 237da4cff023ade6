"""podman beside us, in the same run: its state in a temporary directory, runc as its runtime.

Debian 12's crun refuses hosts with version 1 and 2 cgroups at once, and podman's default limits
are refused where they cannot be raised: so both are named here. Where podman is not installed or
cannot run, ``podman`` yields None, and the benchmark prints what was measured elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096")
APPLETS = ("sh", "yes", "head", "sleep", "true")


@dataclass(frozen=True, slots=True, kw_only=True)
class Podman:
    directory: Path

    @property
    def rootfs(self) -> Path:
        return self.directory / "rootfs"

    def command(self, *args: str) -> list[str]:
        where = ["--root", f"{self.directory}/root", "--runroot", f"{self.directory}/run"]
        how = ["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs"]
        return ["podman", *where, *how, *args]

    def run(self, *args: str, stdout: int = subprocess.DEVNULL) -> bool:
        done = subprocess.run(
            self.command(*args), stdout=stdout, stderr=subprocess.DEVNULL, check=False
        )
        return done.returncode == 0

    def start(self, name: str, *command: str, options: tuple[str, ...] = ()) -> bool:
        return self.run(
            *("run", "-d", "--name", name, *LIMITS, "--network", "none", *options),
            *("--rootfs", str(self.rootfs), *command),
        )

    def make_rootfs(self) -> None:
        for name in ("bin", "proc", "dev", "sys", "etc", "tmp", "run"):
            (self.rootfs / name).mkdir(parents=True)
        shutil.copy2("/bin/busybox", self.rootfs / "bin/busybox")
        for applet in APPLETS:
            os.symlink("busybox", self.rootfs / "bin" / applet)


@contextmanager
def podman() -> Generator[Podman | None]:
    """podman with a state of its own, or None where it cannot run a container."""
    if shutil.which("podman") is None or shutil.which("runc") is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sb-podman-", ignore_cleanup_errors=True) as directory:
        peer = Podman(directory=Path(directory))
        peer.make_rootfs()
        works = peer.start("probe", "/bin/true")
        try:
            yield peer if works else None
        finally:
            peer.run("rm", "-f", "-t", "0", "-a")
