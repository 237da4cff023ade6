"""Debian's podman with a store of its own, as a reader, maker and runner of images."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.registries.debian import run

TOP = Path("/sys/fs/cgroup")
PODS = "libpod_parent"
"""Where podman's own processes are; the name is fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Podman:
    folder: Path

    def __call__(self, *arguments: str, data: bytes | None = None) -> str:
        """Run a command; what it prints."""
        store = ("--root", str(self.folder / "r"), "--runroot", str(self.folder / "n"))
        drivers = ("--storage-driver", "vfs", "--cgroup-manager", "cgroupfs")
        return run("podman", *store, *drivers, *arguments, data=data).decode()

    def run(self, image: str, *command: str) -> str:
        """Run a container of the image to its end, without a network."""
        alone = ("--network", "none", "--runtime", "runc", f"--cgroup-parent=/{self.folder.name}")
        # its own limits are above what some hosts let root have
        limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
        return self("run", "--rm", *alone, *limits, image, *command)


@contextmanager
def podman() -> Iterator[Podman]:
    """A store below a short path: podman takes no long ones."""
    folder = Path(tempfile.mkdtemp(prefix="pod-", dir="/tmp"))
    made = Podman(folder=folder)
    try:
        yield made
        made("rmi", "--all", "--force")
    finally:
        for name in (folder.name, PODS):
            for cgroup in (*TOP.glob(name), *TOP.glob(f"*/{name}")):
                for path in sorted((cgroup, *cgroup.rglob("*/")), reverse=True):
                    with suppress(OSError):  # another podman's container is in there
                        path.rmdir()
        shutil.rmtree(folder, ignore_errors=True)
