"""Verbs as a user types them: what is printed where, and the exit code."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess

import pytest

pytestmark = pytest.mark.root


def test_a_days_work(world) -> None:
    assert world("plan") == (2, "#1 create container shop-web-1: not there\n", "")
    code, out, err = world("up", "-d", "--wait")
    assert (code, out) == (0, "")
    assert err.splitlines() == ["warning: w1", " ✔ start container shop-web-1 0.1s"]
    assert world("plan")[0] == 0

    code, out, _ = world("ps")
    assert code == 0
    assert out.splitlines()[1].split()[:3] == ["shop-web-1", "docker.io/library/web:1", "web"]
    rows = json.loads(world("ps", "--format", "json")[1])["containers"]
    assert rows[0]["name"] == "shop-web-1"
    assert "in sync" in world("ls")[1]
    assert json.loads(world("info", "--format", "json")[1])["pid"] == world.supervisor.pid
    assert json.loads(world("inspect", "web")[1]) == [{"name": "web"}]
    assert world("logs")[1].startswith("web-1 | one\nweb-1 | two\nweb-1 | three\n")
    assert len(world("events", "--json")[1].splitlines()) == 3
    assert "shop-web-1" in world("stats", "--no-stream", "web")[1]
    for verb in ("ps", "stats"):
        assert world(verb, "other") == (1, "", "stacker: no stack has a service other\n")

    assert world("stop")[0] == 0
    assert world("ps")[1].count("\n") == 1
    assert "Exited (0)" in world("ps", "-a")[1]
    assert world("start", "web")[0] == 0
    assert world("down")[0] == 0
    assert json.loads(world("ls", "--format", "json")[1]) == {"stacks": []}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("up", "-d", "broken.yaml"), 1, "broken.yaml:3: services.web: unknown key 'imagee'"),
        (("up", "-d", "-p", "failing"), 1, "failing-web-1 exited with 3"),
        (("logs", "-p", "nope"), 1, "no stack is named nope"),
        (("logs", "--since", "yesterday"), 64, "--since 'yesterday' is not a time"),
        (("exec", "web"), 64, "no command is given"),
    ],
)
def test_what_goes_wrong_is_one_message_and_a_code(world, words, code, message) -> None:
    if words[0] == "logs" and "--since" in words:
        world("up", "-d")
    found, out, err = world(*words)
    assert (found, out) == (code, "")
    assert f"stacker: {message}" in err or message in err


@pytest.mark.parametrize(
    ("words", "code"), [(("ps",), 0), (("ls",), 0), (("down",), 0), (("info",), 1), (("logs",), 1)]
)
def test_without_a_supervisor(world, words, code) -> None:
    world.end_supervisor()
    found, _, err = world(*words)
    assert found == code
    assert ("no supervisor runs" in err) == (words[0] not in ("ps", "ls"))


def test_a_supervisor_that_cannot_start_says_why(world) -> None:
    world.end_supervisor()
    os.chown(world.place.run, 65534, 65534)
    code, _, err = world("up", "-d")
    assert code == 1
    assert "the supervisor did not start: " in err
    assert "belongs to user 65534, not to us" in err


def test_exec_passes_streams_and_the_code(world) -> None:
    world("up", "-d")
    assert world("exec", "web", "sh", "-c", "cat; echo e >&2; exit 7", stdin=b"in\n") == (
        7,
        "in\n",
        "e\n",
    )
    assert world("exec", "-e", "A=b", "web", "sh", "-c", "echo $A")[1] == "b\n"


def test_exec_gives_the_terminal_back(world) -> None:
    world("up", "-d")
    leader, follower = pty.openpty()
    try:
        process = world.popen(
            "exec", "web", "sh", "-c", "echo ready; cat", stdin=follower, stdout=follower
        )
        seen = b""
        while b"ready" not in seen:
            seen += os.read(leader, 1000)
        os.write(leader, b"typed\r")
        while b"typed" not in seen:
            seen += os.read(leader, 1000)
        process.send_signal(signal.SIGWINCH)
        process.send_signal(signal.SIGINT)
        process.wait(10)
        import termios

        assert termios.tcgetattr(follower)[3] & termios.ECHO
    finally:
        os.close(leader)
        os.close(follower)


def test_a_reader_that_leaves_early_is_no_error(world) -> None:
    world("up", "-d")
    read, write = os.pipe()
    process = world.popen("logs", stdout=write, stderr=subprocess.PIPE)
    os.close(read)
    os.close(write)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 141
    assert err == b""


def test_listings_clean_what_images_and_containers_say(world) -> None:
    world("up", "-d")
    out = world("logs")[1]
    assert "\x1b]0;x\x07" in out, "a pipe gets the bytes as they are"
