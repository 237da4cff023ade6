"""podman with a state of its own and our runtime.

`--cgroup-manager cgroupfs`: there is no systemd to ask where this runs. `--network none`: a bridge
would need CNI plugins; the namespace is made and joined all the same.
"""

from __future__ import annotations

import subprocess

from tests.integration.clients.world import RUNTIME, World, image_archive

IMAGE = "localhost/busybox:1"
# until it is killed
SLEEP = ("sleep", "1000")


class Podman:
    def __init__(self, machine: World) -> None:
        self.machine = machine
        state = machine.directory / "podman"
        self._where = (
            *("podman", "--runtime", str(RUNTIME), "--cgroup-manager", "cgroupfs"),
            *("--root", f"{state}/root", "--runroot", f"{state}/run", "--tmpdir", f"{state}/tmp"),
            *("--storage-driver", "overlay", "--events-backend", "file"),
        )

    def argv(self, *words: str) -> tuple[str, ...]:
        return (*self._where, *words)

    def call(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        return self.machine.call(*self.argv(*words), stdin=stdin)

    def ok(self, *words: str, stdin: bytes = b"") -> str:
        return self.machine.ok(*self.argv(*words), stdin=stdin)

    def options(self, *more: str) -> tuple[str, ...]:
        network = () if any(word.startswith("--network") for word in more) else ("--network=none",)
        return (f"--cgroup-parent=/{self.machine.cgroup}", *network, *more)

    def run(self, *options: str, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """In the foreground."""
        return self.call("run", "--rm", *self.options(*options), IMAGE, *command)

    def detached(self, name: str, *options: str, command: tuple[str, ...] = SLEEP) -> None:
        self.ok("run", "-d", "--name", name, *self.options(*options), IMAGE, *command)

    def inspect(self, name: str, field: str) -> str:
        return self.ok("inspect", "--format", f"{{{{.{field}}}}}", name)

    def import_image(self) -> None:
        self.ok("import", "--change", "ENV PATH=/bin", "-", IMAGE, stdin=image_archive())

    def remove_all(self) -> None:
        self.ok("pod", "rm", "--all", "--force", "--time", "0")
        # one by one: `--all` takes no order, and stops at one whose namespaces another uses
        while identities := self.ok("ps", "--all", "--quiet").split():
            self.ok("rm", "--force", "--depend", "--time", "0", identities[-1])
