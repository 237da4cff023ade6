"""What a user sees and presses: real terminals, resized, interrupted, and cut off."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from tests.support.supervisor import IMAGE, Stacker, eventually
from tests.support.terminal import CTRL_C, Terminal, terminal

pytestmark = pytest.mark.root

STACK = f"""
name: seen
services:
  web:
    image: {IMAGE}
    command: [sh, -c, "trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.1; done"]
"""
DEAF = STACK.replace("echo bye; exit 0", "echo not yet") + "    stop_grace_period: 60s\n"


@pytest.fixture
def seen(stacker: Stacker) -> Iterator[Stacker]:
    stacker.up(STACK)
    return stacker


def opened(
    stacker: Stacker, *args: str, size: tuple[int, int] = (24, 80)
) -> AbstractContextManager[Terminal]:
    env = {**stacker.env(), "TERM": "xterm"}
    return terminal(stacker.command(*args), env, stacker.directory, size=size)


def test_exec_has_a_terminal_that_follows_ours(seen: Stacker) -> None:
    with opened(seen, "exec", "-it", "-p", "seen", "web", "sh", size=(33, 101)) as screen:
        screen.expect("# ")
        screen.type("stty size; tty")
        screen.expect("33 101")
        screen.expect("/dev/pts/")
        screen.resize(40, 90)
        # the shell has it when the next command asks, at the latest
        eventually(lambda: _asked(screen, "stty size", "40 90"), what="the new size")

        # said by a process that the terminal's signals already go to
        screen.type("sh -c 'echo go; sleep 1000'")
        screen.expect("\ngo\r")
        screen.press(CTRL_C)
        screen.type("echo still $((40 + 2))")
        screen.expect("still 42")
        screen.type("exit 7")
        assert screen.end() == 7


def test_a_command_in_a_terminal_gets_ctrl_c(seen: Stacker) -> None:
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    with opened(seen, "exec", "-t", "-p", "seen", "web", "sh", "-c", script) as screen:
        screen.expect("ready")
        screen.press(CTRL_C)
        screen.expect("caught")
        assert screen.end() == 5


def test_up_shows_progress_then_logs_and_ctrl_c_stops(stacker: Stacker) -> None:
    stacker.write(STACK)
    with opened(stacker, "up", "stack.yaml") as screen:
        screen.expect("create container seen-web-1")
        screen.expect("hello")
        screen.press(CTRL_C)
        assert screen.end() in (0, 130)
        assert "Traceback" not in screen.shown
    row = stacker.containers()["seen-web-1"]
    assert (row["status"], row["exit_code"]) == ("exited", 0)
    assert "bye" in stacker.ok("logs", "-p", "seen")
    planned = stacker("plan", "stack.yaml")
    assert "stopped by the user" in planned.stdout + stacker.ok("ps", "-a", "-p", "seen")


def test_a_second_ctrl_c_kills(stacker: Stacker) -> None:
    stacker.write(DEAF)
    with opened(stacker, "up", "stack.yaml") as screen:
        screen.expect("hello")
        screen.press(CTRL_C)
        eventually(lambda: "not yet" in stacker.ok("logs", "-p", "seen"), what="the first stop")
        assert stacker.containers()["seen-web-1"]["status"] == "running"
        screen.press(CTRL_C)
        assert screen.end() in (0, 130)
        assert "Traceback" not in screen.shown
    row = stacker.containers()["seen-web-1"]
    assert (row["status"], row["exit_code"]) == ("exited", 137)


def test_an_attached_up_outlives_the_supervisor(stacker: Stacker) -> None:
    counting = "n=0; while :; do echo line $$n; n=$$((n+1)); usleep 20000; done"
    text = STACK.replace("trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.1; done",
                         counting)  # fmt: skip
    stacker.write(text)
    with opened(stacker, "up", "stack.yaml", size=(24, 200)) as screen:
        screen.expect("line 10\r\n")
        pid = stacker.supervisor_pid()
        container = stacker.containers()["seen-web-1"]["pid"]
        os.kill(pid, signal.SIGKILL)
        screen.expect("going on with the next one")
        eventually(
            lambda: stacker.running_supervisor() not in (None, pid), what="the next supervisor"
        )
        count = len(stacker.ok("logs", "-p", "seen").splitlines())
        screen.expect(f"line {count + 10}\r\n")
        assert stacker.containers()["seen-web-1"]["pid"] == container
        screen.press(CTRL_C)
        screen.expect("press Ctrl-C again to kill")
        screen.press(CTRL_C)
        screen.end()
    numbers = [
        int(line.rpartition(" ")[2])
        for line in screen.shown.replace("\r", "").splitlines()
        if "| line " in line
    ]
    assert numbers == list(range(len(numbers)))


def test_following_logs_ends_on_ctrl_c(seen: Stacker) -> None:
    with opened(seen, "logs", "-f", "-p", "seen") as screen:
        screen.expect("hello")
        screen.press(CTRL_C)
        assert screen.end() in (0, 130)
        assert "Traceback" not in screen.shown
    assert seen.containers()["seen-web-1"]["status"] == "running"


def test_lines_are_plain_where_there_is_no_terminal(stacker: Stacker) -> None:
    done: subprocess.CompletedProcess[str] = stacker(
        "up", "-d", "--wait", str(stacker.write(STACK))
    )
    assert "\x1b" not in done.stderr
    assert " ✔ start container seen-web-1" in done.stderr


def _asked(screen: Terminal, command: str, answer: str) -> bool:
    screen.type(f"{command}; echo done")
    return answer in screen.expect("\ndone")
