"""The init program, run for real: exit codes, signals, orphans, the search along PATH."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from pathlib import Path

import pytest

from stacker.drivers.host.init_program import init_program

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="there is no listing for this machine"
)


@pytest.fixture
def init(tmp_path: Path) -> str:
    path = init_program(tmp_path)
    assert path is not None
    return path


def run(init: str, *command: str, **environment: str) -> int:
    env = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run([init, "--", *command], env=env, check=False).returncode


def test_it_ends_as_its_child_ended(init: str) -> None:
    assert run(init, "/bin/sh", "-c", "exit 7") == 7
    assert run(init, "/bin/sh", "-c", "exit 0") == 0
    assert run(init, "/bin/sh", "-c", "kill -9 $$") == 137


def test_the_command_is_found_along_the_path(init: str, tmp_path: Path) -> None:
    program = tmp_path / "my-program"
    program.write_text('#!/bin/sh\n[ "$1" = "a b" ]\n')
    program.chmod(0o755)
    assert run(init, "my-program", "a b", PATH=f"/nowhere:{tmp_path}:/bin") == 0
    assert run(init, "my-program", "a b", PATH="/bin") == 127
    assert run(init, "my-program", PATH="") == 127
    assert run(init, str(program), "a b", PATH="") == 0


@pytest.mark.parametrize("name", ["x" * 300, "x" * 20_000])
def test_long_names_are_only_not_found(init: str, name: str) -> None:
    assert run(init, name, PATH="/" + "d" * 5000 + ":/bin") == 127


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_signals_are_passed_on(init: str, signum: signal.Signals) -> None:
    # a shell cannot trap what it was started to ignore, as below nohup(1)
    defaults = ("env", "--default-signal")
    script = f"trap 'exit 42' {signum.name[3:]}; echo; while :; do :; done"
    process = subprocess.Popen(
        [*defaults, init, "--", "/bin/sh", "-c", script], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signum)
    assert process.wait(10) == 42
    process.stdout.close()


def test_orphans_are_reaped(init: str, tmp_path: Path) -> None:
    """In a pid namespace of its own, where it is the one whom orphans fall to."""
    script = "for n in 1 2 3 4 5; do (sleep 0 &) ; done; echo; read line"
    process = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", init, "--", "/bin/sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 10
    while _zombies_below(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _zombies_below(process.pid) == 0
    process.communicate(b"\n", timeout=10)
    assert process.returncode == 0


def _zombies_below(pid: int) -> int:
    listed = subprocess.run(
        ["ps", "-o", "stat=", "--ppid", str(pid), "--ppid", str(_child(pid))],
        capture_output=True,
        text=True,
        check=False,
    )
    return sum(line.startswith("Z") for line in listed.stdout.splitlines())


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid
