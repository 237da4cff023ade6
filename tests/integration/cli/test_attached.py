"""An attached ``up``: progress, logs, Ctrl-C once and twice, a supervisor that is restarted."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack

import pytest

pytestmark = pytest.mark.root


@pytest.fixture
def follow(world):
    """Start a command that goes on; end it and close its pipes with the test."""
    with ExitStack() as started:

        def run(*words: str) -> subprocess.Popen[bytes]:
            process = world.popen(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield run


def read_until(stream, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        part = os.read(stream.fileno(), 4096)
        assert part, seen
        seen += part
    return seen


def test_ctrl_c_stops_the_stack_which_stays_stopped(world, follow) -> None:
    process = follow("up")
    read_until(process.stdout, b"web-1 | three\n")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"stopping shop; press Ctrl-C again to kill" in err
    assert "stopped" in world("ls")[1]


def test_it_ends_when_nothing_runs_any_more(world, follow) -> None:
    process = follow("up")
    read_until(process.stdout, b"web-1 | three\n")
    assert world("stop")[0] == 0
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_it_ends_when_the_stack_is_taken_down(world, follow) -> None:
    process = follow("up")
    read_until(process.stdout, b"web-1 | three\n")
    assert world("down")[0] == 0
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_logs_go_on_with_the_next_supervisor(world, follow) -> None:
    world("up", "-d")
    process = follow("logs", "-f")
    first = read_until(process.stdout, b"three\n")
    world.supervisor.kill()
    world.supervisor.wait()
    world.start_supervisor()
    # this engine forgets its stacks: what is left is to say so
    code = process.wait(20)
    assert code == 1
    assert b"the supervisor was restarted" in process.stderr.read()
    assert first.count(b"one\n") == 1


def test_events_go_on_with_the_next_supervisor(world, follow) -> None:
    process = follow("events", "-f", "--json", "--since", "0")
    world("up", "-d", "-p", "before")
    read_until(process.stdout, b"before")
    world.supervisor.kill()
    world.supervisor.wait()
    world.start_supervisor()
    read_until(process.stderr, b"restarted")
    for name in ("after1", "after2"):  # its numbers begin at 1 again, ours went on
        world("up", "-d", "-p", name)
    read_until(process.stdout, b"after2")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
