"""The life of a container is the same on the built-in runtime, on crun and on runc."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from typing import Any

import pytest

from tests.support import cgroups, runtimes
from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = [pytest.mark.root, pytest.mark.parametrize("name", runtimes.NAMES)]

STACK = f"""
name: life
services:
  web:
    image: {IMAGE}
    command: [httpd, -f, -p, "80", -h, /etc]
    init: true
    mem_limit: 32m
    pids_limit: 20
    cpus: 0.5
    healthcheck:
      test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/passwd"]
      start_period: 10s
      start_interval: 100ms
    restart: always
    stop_grace_period: 5s
  talker:
    image: {IMAGE}
    command: [sh, -c, "trap 'echo bye; exit 7' TERM; echo hello; sleep 1000 & wait"]
  screen:
    image: {IMAGE}
    tty: true
    command: [sh, -c, "test -t 1 && echo on a $$(tty); exec sleep infinity"]
    init: true
"""


def test_by_the_stack_file(stacker: Stacker, name: str) -> None:
    word = runtimes.word_for(name, stacker.directory)
    if word == "builtin":
        text = STACK
    else:
        text = STACK.replace("    image:", f"    runtime: {word}\n    image:")
    live(stacker, text, name)


def test_by_the_daemon(stacker: Stacker, name: str) -> None:
    stacker.end()  # the one that imported the image
    word = runtimes.word_for(name, stacker.directory)
    daemon = stacker.start("daemon", "--runtime", word, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: stacker("info").returncode == 0, what="the supervisor's answer")
        assert stacker.json("info")["runtime"] == word
        live(stacker, STACK, name)
    finally:
        daemon.terminate()
        daemon.wait(20)


def live(stacker: Stacker, text: str, name: str) -> None:
    """From `up` to `down`."""
    stacker.up(text)
    rows = stacker.containers()
    assert {path.parent.name for path in (stacker.run / "runtime").glob("*/*")} == {name}
    assert rows["life-web-1"]["health"] == "healthy"
    check_limits(int(rows["life-web-1"]["pid"]))
    check_exec(stacker)
    check_output(stacker)
    check_restart(stacker)
    check_signals(stacker)
    stacker.ok("down", "-v", "-t", "1", "-p", "life")
    assert stacker.containers() == {}


def check_limits(pid: int) -> None:
    assert cgroups.limit(pid, "memory") == str(32 * 1024 * 1024)
    assert cgroups.limit(pid, "pids") == "20"
    assert cgroups.limit(pid, "cpu") == "50000"
    # what the host does not let us raise is capped: crun and runc refuse to start otherwise
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert hard in (524288, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def check_exec(stacker: Stacker) -> None:
    def run(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return stacker("exec", "-T", "-p", "life", "web", *command, **more)

    assert run("sh", "-c", "exit 42").returncode == 42
    assert run("sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert run("nosuch").returncode == 127
    assert run("/etc/passwd").returncode == 126
    assert run("cat", stdin=b"through").stdout == "through"
    assert run("grep", "NoNewPrivs", "/proc/self/status").stdout.split()[1] == "1"


def check_output(stacker: Stacker) -> None:
    def log(service: str) -> str:
        return stacker.ok("logs", "--no-log-prefix", "-p", "life", service)

    eventually(lambda: log("talker") == "hello\n", what="the talker's line")
    eventually(lambda: "on a /dev/" in log("screen"), what="the terminal's line")


def check_restart(stacker: Stacker) -> None:
    pid = stacker.containers()["life-web-1"]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: (
            (row := stacker.containers()["life-web-1"])["pid"] not in (None, pid)
            and row["health"] == "healthy"
        ),
        what="web's next process",
    )


def check_signals(stacker: Stacker) -> None:
    def row(name: str) -> dict[str, Any]:
        return stacker.containers()[f"life-{name}-1"]

    stacker.ok("stop", "-p", "life", "talker")
    assert (row("talker")["status"], row("talker")["exit_code"]) == ("exited", 7)
    assert "bye" in stacker.ok("logs", "-p", "life", "talker")

    stacker.ok("kill", "-s", "KILL", "-p", "life", "screen")
    eventually(lambda: row("screen")["status"] == "exited", what="the screen's end")
    assert row("screen")["exit_code"] == 137

    stacker.ok("start", "-p", "life", "talker")
    assert row("talker")["status"] == "running"
