"""A stacker of one's own: its root and run directories, its supervisor, its commands."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacker.daemon.wiring import tag_of
from tests.support.slowness import SLOWNESS

REPOSITORY = Path(__file__).parents[2]
IMAGE = "stacker/busybox:1"


@dataclass(kw_only=True)
class Stacker:
    """Runs ``stacker`` commands as a user would."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.directory / "root"

    @property
    def run(self) -> Path:
        return self.directory / "run"

    @property
    def tag(self) -> str:
        """What the names of its links, cgroups and tables carry."""
        return tag_of(self.root)

    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "STACKER_ROOT": str(self.root),
            "STACKER_RUN": str(self.run),
            "PYTHONPATH": str(REPOSITORY),
            "NO_COLOR": "1",
            **self.environment,
        }

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "stacker", *args]

    def __call__(
        self, *args: str, cwd: Path | None = None, stdin: bytes | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*args),
            env=self.env(),
            cwd=cwd or self.directory,
            input=stdin,
            capture_output=True,
            timeout=timeout * SLOWNESS,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )

    def ok(self, *args: str, **more: Any) -> str:
        """Run, insist on exit 0, and return what was printed."""
        done = self(*args, **more)
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, *args: str, **more: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command(*args), env=self.env(), cwd=self.directory, **more)

    def json(self, *args: str) -> Any:
        return json.loads(self.ok(*args, "--format", "json"))

    def write(self, text: str, name: str = "stack.yaml") -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def up(self, text: str, *args: str, **more: Any) -> str:
        return self.ok("up", "-d", "--wait", *args, str(self.write(text)), **more)

    def end(self) -> None:
        """Take every stack down, and wait until the supervisor has gone."""
        stacks = self("ls", "--format", "json")
        if stacks.returncode == 0 and stacks.stdout.strip():
            for stack in json.loads(stacks.stdout)["stacks"]:
                self("down", "-v", "-t", "0", "-p", stack["name"])
        pid = self.running_supervisor()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            eventually(lambda: not Path(f"/proc/{pid}").exists(), what="the supervisor's end")

    def running_supervisor(self) -> int | None:
        """Return the pid in the lock file, when that process is alive."""
        try:
            pid = int((self.run / "lock").read_text())
            command = Path("/proc", str(pid), "cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if b"stacker.daemon" in command else None

    def answers(self) -> bool:
        """Does somebody listen on the API's socket?"""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.run / "api/stacker.sock")) == 0

    def supervisor_pid(self) -> int:
        pid = self.running_supervisor()
        assert pid is not None, "no supervisor runs"
        return pid

    def containers(self, *args: str) -> dict[str, dict[str, Any]]:
        """Return the rows of ``ps -a``, by container name."""
        return {row["name"]: row for row in self.json("ps", "-a", *args)["containers"]}


def eventually(
    condition: Callable[[], Any], *, within: float = 20.0, what: str = "condition"
) -> Any:
    """Poll until something is true and return it; fail with its last value."""
    within *= SLOWNESS
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s: {value!r}")
        time.sleep(0.02)
