"""The bundle that `runtime.py` gives to every runtime: what stacker writes for a service.

It is the golden file of `stacker.bundle` (the default capabilities, seccomp profile, sysctls,
masked and read-only paths, a cgroup mount) with limits, twelve mounts, and all namespaces new.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from bench import REPOSITORY

GOLDEN = REPOSITORY / "tests/golden/bundle/plain.json"
DIRECTORIES = ("bin", "dev", "etc", "proc", "srv", "sys", "tmp")
APPLETS = ("true", "sleep")


class Bundle:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files = directory.with_name(f"{directory.name}.files")
        for name in DIRECTORIES:
            (directory / "rootfs" / name).mkdir(parents=True)
        shutil.copy2("/bin/busybox", directory / "rootfs/bin/busybox")
        for name in APPLETS:
            os.symlink("busybox", directory / "rootfs/bin" / name)
        self._files.mkdir()
        self._config = self._made()

    def write(self, identity: str, *command: str) -> None:
        self._config["process"]["args"] = list(command)
        self._config["linux"]["cgroupsPath"] = f"/{identity}"
        (self.directory / "config.json").write_text(json.dumps(self._config))

    def copy(self, identity: str) -> Path:
        """A bundle of the same root file system, with a process that stays."""
        path = self.directory.with_name(f"bundle-{identity}")
        path.mkdir()
        self.write(identity, "/bin/sleep", "1000")
        config = self._config | {"root": {"path": str(self.directory / "rootfs"), "readonly": True}}
        (path / "config.json").write_text(json.dumps(config))
        return path

    def _made(self) -> dict[str, Any]:
        config = json.loads(GOLDEN.read_text())
        process, linux = config["process"], config["linux"]
        config["root"] = {"path": "rootfs", "readonly": True}
        # what this host lets nobody raise is no limit to compare
        process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096}]
        process["cwd"] = "/"
        linux["namespaces"] = [
            {"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")
        ]
        linux["resources"] |= {
            "memory": {"limit": 256 << 20, "swap": 256 << 20, "reservation": 128 << 20},
            "cpu": {"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0-1"},
            "pids": {"limit": 256},
        }
        mounts = [one for one in config["mounts"] if one["type"] != "bind"]
        for name in ("hosts", "resolv.conf", "hostname"):
            (self._files / name).write_text("127.0.0.1 localhost\n")
            mounts.append(self._bind(self._files / name, f"/etc/{name}"))
        volume = self._files / "volume"
        volume.mkdir()
        mounts.append(self._bind(volume, "/srv"))
        mounts.append(
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "nodev", "size=16m", "mode=1777"]}
        )  # fmt: skip
        assert len(mounts) == 12
        config["mounts"] = mounts
        # a read-only root needs its mount points
        for name in ("hosts", "resolv.conf", "hostname"):
            (self.directory / "rootfs/etc" / name).touch()
        return config

    def _bind(self, source: Path, destination: str) -> dict[str, Any]:
        options = ["bind", "rprivate", "nosuid", "nodev", "noexec"]
        return {
            "destination": destination,
            "type": "bind",
            "source": str(source),
            "options": options,
        }
