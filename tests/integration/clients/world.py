"""A machine of their own for podman, dockerd and containerd, on this one.

They rewrite firewall rules and sysctls, keep state below /run, /var/lib and /etc, and leave
processes behind that hold containers. So all of them live in one set of mount, process and network
namespaces: /run, /etc and /var/lib are layers in memory there, and all that runs ends with its
process 1. Cgroups are the host's: whatever the clients make is in a parent of our own, but for a
pod's (podman's name for it is fixed), and is taken away in the end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.runtime.conftest import wait_until
from tests.support.supervisor import REPOSITORY

RUNTIME = Path(sys.executable).parent / "stacker-runtime"
TOP = Path("/sys/fs/cgroup")
PODS = "libpod_parent"
DEADLINE_S = 60.0

# catatonit -P waits for signals and reaps what the clients leave to process 1
_PREPARE = """
set -e
mount -t tmpfs -o mode=755 world "$1"
for directory in etc var/lib; do
    mkdir -p "$1/layers/$directory" "$1/work/$directory"
    mount -t overlay -o "lowerdir=/$directory,upperdir=$1/layers/$directory,workdir=$1/work/$directory" \\
        world "/$directory"
done
mount -t tmpfs -o mode=755 world /run
mount -t tmpfs -o mode=1777 world /var/tmp
ip link set lo up
echo containers:100000:1000000 > /etc/subuid
cp /etc/subuid /etc/subgid
echo made
exec catatonit -P
"""  # noqa: E501 - one option of mount


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`directory` is a file system in memory that only those inside can see."""

    directory: Path
    holder: int
    cgroup: str

    def inside(self, *argv: str) -> list[str]:
        enter = ("--mount", "--pid", "--net", f"--wdns={self.directory}")
        return ["nsenter", f"--target={self.holder}", *enter, *argv]

    def call(self, *argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.inside(*argv), input=stdin, capture_output=True, timeout=DEADLINE_S, check=False
        )
        texts = (done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        return subprocess.CompletedProcess(argv, done.returncode, *texts)

    def ok(self, *argv: str, stdin: bytes = b"") -> str:
        """Run, insist on exit 0, and give what was printed."""
        done = self.call(*argv, stdin=stdin)
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def write(self, name: str, text: str) -> str:
        path = f"{self.directory}/{name}"
        self.ok("sh", "-c", 'cat > "$0"', path, stdin=text.encode())
        return path

    def start(self, name: str, *argv: str, ready: tuple[str, ...]) -> None:
        """A daemon that ends with the world; `ready` succeeds once it answers."""
        log = Path(f"/proc/{self.holder}/root{self.directory}/{name}.log")
        with log.open("wb") as output:
            daemon = subprocess.Popen(
                self.inside(*argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

        def answers() -> bool:
            assert daemon.poll() is None, f"{name} ended: {log.read_text()[-2000:]}"
            return self.call(*ready).returncode == 0

        wait_until(answers)
        _DAEMONS.append(daemon)


_DAEMONS: list[subprocess.Popen[bytes]] = []


def image_archive() -> bytes:
    """A root file system as tar: busybox and its applets."""
    script = [sys.executable, str(REPOSITORY / "examples/busybox_image.py")]
    return subprocess.run(script, check=True, capture_output=True).stdout


@contextmanager
def world(directory: Path) -> Generator[World]:
    namespaces = ("--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child")
    maker = subprocess.Popen(
        ["unshare", *namespaces, "sh", "-c", _PREPARE, "sh", str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    cgroup = cgroup_name()
    try:
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"made\n", "the clients' world could not be made"
        holder = int(Path(f"/proc/{maker.pid}/task/{maker.pid}/children").read_text())
        yield World(directory=directory, holder=holder, cgroup=cgroup)
    finally:
        # unshare holds SIGTERM back; its child goes with it, and all others with the child
        maker.send_signal(signal.SIGKILL)
        maker.communicate()
        for daemon in _DAEMONS:
            daemon.wait(DEADLINE_S)
        _DAEMONS.clear()
        wait_until(lambda: _without_cgroups(cgroup))
        for pods in cgroups_named(PODS):
            _remove(pods)


def cgroup_name() -> str:
    return f"srt-clients-{os.getpid()}"


def cgroups_named(name: str) -> list[Path]:
    places = [TOP, *(path for path in TOP.iterdir() if path.is_dir())]
    return [place / name for place in places if (place / name).is_dir()]


def _without_cgroups(name: str) -> bool:
    """Processes that were killed with their namespace leave their cgroup a little later."""
    for directory in cgroups_named(name):
        _remove(directory)
    return cgroups_named(name) == []


def _remove(directory: Path) -> None:
    for path, _, _ in os.walk(directory, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            # in use: by us for a moment more, or (a pod's) by another podman of this host
            return
