"""Who pulls: stacker, podman, docker and containerd, each with a state of its own, made anew.

A contender is given an empty folder and an `Account`; what it starts there, it ends. Docker's
daemon makes no bridge and no rules. Debian's containerd serves docker too, so that nothing of the
machine's own daemons is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from account import Account
from bench import Installed, eventually


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A contender that waits for a pull; the reference is appended to its command."""

    pull: list[str]
    warm: Callable[[], object]
    """Has it do something small, so that its programs are in memory."""
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    settled: Callable[[], bool] | None = None
    """Whether all is on the disk; None: it does not say, `sync` has to."""
    supervisor_pid: int | None = None
    """Whose memory is watched."""


Contender = Callable[[Path, Account], AbstractContextManager[Ready]]


@contextmanager
def stacker(folder: Path, account: Account) -> Generator[Ready]:
    """With its supervisor running, as a service has it."""
    with _stacker(folder) as (ready, installed):
        command = [*installed.command("daemon"), "--root", str(installed.root)]
        process = account.start(*command, env=ready.env, log=folder / "daemon.log")
        try:
            eventually(installed.answers, what="the supervisor's answer")
            yield replace(ready, supervisor_pid=process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)


@contextmanager
def stacker_cold(folder: Path, account: Account) -> Generator[Ready]:
    """The command has to start the supervisor, which ends when there is nothing to do."""
    with _stacker(folder) as (ready, installed):
        ready.warm()
        installed.end()
        yield replace(ready, warm=lambda: (ready.warm(), installed.end()))


@contextmanager
def _stacker(folder: Path) -> Generator[tuple[Ready, Installed]]:
    installed = Installed(directory=folder)
    installed.install()
    unsynced = installed.root / "unsynced"
    ready = Ready(
        pull=installed.command("image", "pull", "-q"),
        warm=lambda: installed.ok("image", "ls"),
        env=installed.env(),
        settled=lambda: not any(unsynced.iterdir()),
    )
    try:
        yield ready, installed
    finally:
        installed.end()
        shutil.rmtree(installed.run, ignore_errors=True)


@contextmanager
def podman(folder: Path, account: Account) -> Generator[Ready]:
    where = ["--root", f"{folder}/root", "--runroot", f"{folder}/run"]
    command = ["podman", *where, "--storage-driver", "overlay"]
    yield Ready(
        pull=[*command, "pull", "-q", "--tls-verify=false"],
        warm=lambda: account.run(*command, "images"),
    )
    # it has left the storage's own directory mounted on itself
    subprocess.run(["umount", "-q", f"{folder}/root/overlay"], check=False)


@contextmanager
def containerd(folder: Path, account: Account) -> Generator[Ready]:
    with _containerd(folder, account) as socket:
        command = ["ctr", "--address", str(socket), "image"]
        yield Ready(
            pull=[*command, "pull", "--plain-http"], warm=lambda: account.run(*command, "ls")
        )


@contextmanager
def docker(folder: Path, account: Account) -> Generator[Ready]:
    # the path of a socket has 107 bytes at most
    socket = f"unix://{folder}/docker"
    (folder / "docker.json").write_text("{}")
    with (
        _containerd(folder, account) as containerd_socket,
        _daemon(
            account,
            *("dockerd", "--host", socket, "--containerd", str(containerd_socket)),
            *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
            *("--pidfile", f"{folder}/pid", "--config-file", f"{folder}/docker.json"),
            *("--bridge", "none", "--iptables=false", "--ip-forward=false"),
            log=folder / "dockerd.log",
            ready=["docker", "--host", socket, "version"],
        ),
    ):
        command = ["docker", "--host", socket]
        yield Ready(pull=[*command, "pull", "-q"], warm=lambda: account.run(*command, "images"))


@contextmanager
def _containerd(folder: Path, account: Account) -> Generator[Path]:
    socket = folder / "containerd"
    (folder / "containerd.toml").write_text("version = 2\n")
    with _daemon(
        account,
        *("containerd", "--config", f"{folder}/containerd.toml", "--address", str(socket)),
        *("--root", f"{folder}/containerd-root", "--state", f"{folder}/containerd-state"),
        log=folder / "containerd.log",
        ready=["ctr", "--address", str(socket), "version"],
    ):
        yield socket


@contextmanager
def _daemon(
    account: Account, *command: str, log: Path, ready: list[str]
) -> Generator[subprocess.Popen[bytes]]:
    process = account.start(*command, log=log)
    try:
        try:
            eventually(lambda: _succeeds(ready), what=f"{command[0]}'s answer")
        except AssertionError:
            raise SystemExit(f"{command[0]} does not start\n{log.read_text()[-2000:]}") from None
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


CONTENDERS: dict[str, Contender] = {
    "stacker": stacker,
    "stacker, to be started": stacker_cold,
    "podman": podman,
    "docker": docker,
    "containerd": containerd,
}
PROGRAMS = {"podman": "podman", "docker": "dockerd", "containerd": "ctr"}


def missing(name: str, compression: str) -> str:
    """Why a contender cannot take part; empty where it can."""
    if name in PROGRAMS and shutil.which(PROGRAMS[name]) is None:
        return "is not installed"
    if (name, compression) == ("docker", "zstd"):
        return "20.10 knows no zstd"
    return ""
