"""While a declaration is being staged, what runs is kept as it was declared before."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

BEFORE = f"""
name: slow
services:
  a:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    restart: always
"""


@pytest.fixture
def silent() -> Iterator[str]:
    """A registry that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}/nothing:1"


@pytest.fixture
def staging(stacker: Stacker, silent: str) -> Iterator[Stacker]:
    """A stack that runs, and an ``up`` of it that waits for a registry."""
    stacker.up(BEFORE)
    stacker.write(f"{BEFORE}  b:\n    image: {silent}\n")
    up = stacker.start("up", "-d", "stack.yaml")
    _until_pulling(stacker)
    try:
        yield stacker
    finally:
        up.kill()
        up.wait()


def _until_pulling(stacker: Stacker) -> None:
    def begun() -> bool:
        events = stacker("events", "--json", "--since", "0").stdout.splitlines()
        return any('"image.progress"' in event for event in events)

    eventually(begun, what="a pull under way")


def test_a_killed_process_comes_back(staging: Stacker) -> None:
    pid = staging.containers()["slow-a-1"]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: staging.containers()["slow-a-1"]["pid"] not in (None, pid), what="a new process"
    )


def test_services_obey(staging: Stacker) -> None:
    pid = staging.containers()["slow-a-1"]["pid"]
    staging.ok("restart", "-t", "0", "-p", "slow", "a", timeout=20)
    assert staging.containers()["slow-a-1"]["pid"] not in (None, pid)
    staging.ok("stop", "-t", "0", "-p", "slow", "a", timeout=20)
    assert staging.containers("-a")["slow-a-1"]["pid"] is None


def test_another_up_takes_its_place(staging: Stacker) -> None:
    pid = staging.containers()["slow-a-1"]["pid"]
    staging.up(BEFORE, timeout=20)
    assert staging.containers()["slow-a-1"]["pid"] == pid


def test_who_waits_for_an_up_that_was_replaced_hears_of_it(stacker: Stacker, silent: str) -> None:
    """Not of the outcome of the later one."""
    stacker.up(BEFORE)
    stacker.write(f"{BEFORE}  b:\n    image: {silent}\n", "first.yaml")
    first = stacker.start("up", "-d", "--wait", "first.yaml", stderr=subprocess.PIPE)
    _until_pulling(stacker)
    stacker.up(BEFORE, timeout=20)
    _, said = first.communicate(timeout=20)
    assert first.returncode == 1
    assert b"a later `up` has replaced this one" in said


def test_down_does_not_wait(staging: Stacker) -> None:
    staging.ok("down", "-p", "slow", timeout=20)


def test_ctrl_c_before_the_first_is_accepted(stacker: Stacker, silent: str) -> None:
    """Nothing of it is begun, now or later."""
    stacker.write(f"name: slow\nservices:\n  b:\n    image: {silent}\n")
    up = stacker.start("up", "stack.yaml")
    _until_pulling(stacker)
    up.send_signal(signal.SIGINT)
    assert up.wait(20) == 130
    eventually(lambda: "slow" not in stacker("ls").stdout, what="the end of the stack")
