"""docker and ctr, the command lines of dockerd and containerd."""

from __future__ import annotations

import subprocess

from tests.integration.clients.podman import IMAGE, SLEEP
from tests.integration.clients.world import RUNTIME, World


class Docker:
    def __init__(self, machine: World, socket: str) -> None:
        self.machine = machine
        self._where = ("docker", "--host", socket)

    def call(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        return self.machine.call(*self._where, *words, stdin=stdin)

    def ok(self, *words: str, stdin: bytes = b"") -> str:
        return self.machine.ok(*self._where, *words, stdin=stdin)

    def run(self, *options: str, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """In the foreground."""
        ours = ("--runtime=stacker", "--network=none")
        return self.call("run", "--rm", *ours, *options, IMAGE, *command)

    def detached(self, name: str, *options: str, command: tuple[str, ...] = SLEEP) -> None:
        ours = ("--runtime=stacker", "--network=none")
        self.ok("run", "-d", "--name", name, *ours, *options, IMAGE, *command)

    def remove_all(self) -> None:
        for identity in self.ok("ps", "--all", "--quiet").split():
            self.ok("rm", "--force", identity)


class Ctr:
    def __init__(self, machine: World, socket: str, rootfs: str) -> None:
        self.machine = machine
        self._where = ("ctr", "--address", socket)
        self._rootfs = rootfs

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.machine.call(*self._where, *words)

    def ok(self, *words: str) -> str:
        return self.machine.ok(*self._where, *words)

    def run(
        self, *options: str, name: str, command: tuple[str, ...]
    ) -> subprocess.CompletedProcess[str]:
        ours = ("--runc-binary", str(RUNTIME), "--cgroup", f"/{self.machine.cgroup}/{name}")
        return self.call("run", *ours, *options, "--rootfs", self._rootfs, name, *command)

    def detached(self, name: str, *options: str) -> None:
        done = self.run("-d", *options, name=name, command=("/bin/sleep", "1000"))
        assert done.returncode == 0, done.stderr

    def status(self, name: str) -> str:
        lines = (line.split() for line in self.ok("task", "list").splitlines())
        return next(words[2] for words in lines if words[0] == name)

    def remove_all(self) -> None:
        for name in self.ok("container", "list", "--quiet").split():
            self.call("task", "delete", "--force", name)
            self.ok("container", "delete", name)
