"""Each example does what its README tells."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from tests.support import cgroups
from tests.support.supervisor import REPOSITORY, Stacker, eventually

pytestmark = pytest.mark.root


def example(name: str) -> str:
    return str(REPOSITORY / "examples" / name / "stack.yaml")


def row(stacker: Stacker, name: str) -> dict[str, Any]:
    return stacker.containers()[name]


# one-shot


def test_a_job_runs_once_before_its_service(stacker: Stacker) -> None:
    stacker.ok("up", "-d", "--wait", example("one-shot"))
    job, web = row(stacker, "one-shot-migrate-1"), row(stacker, "one-shot-web-1")
    assert (job["status"], job["exit_code"]) == ("exited", 0)
    assert web["health"] == "healthy"
    assert web["started_at"] > job["started_at"]
    answer = stacker.ok(
        *("exec", "-T", "-p", "one-shot", "web", "wget", "-q", "-O", "-", "http://web/")
    )
    assert answer == "Hello, written by a job that ran once.\n"

    stacker.ok("up", "-d", "--wait", example("one-shot"))
    assert row(stacker, "one-shot-migrate-1")["started_at"] == job["started_at"]


def test_a_job_that_fails_is_named_with_what_waits_for_it(stacker: Stacker) -> None:
    text = (REPOSITORY / "examples/one-shot/stack.yaml").read_text()
    (stacker.directory / "greeting.txt").write_text("hello\n")
    start, end = text.index("    command:\n"), text.index("    secrets:\n")
    broken = text[:start] + '    command: ["false"]\n' + text[end:]
    done = stacker("up", "-d", "--wait", str(stacker.write(broken)))
    assert done.returncode == 1
    assert "one-shot-migrate-1 exited with 1" in done.stderr
    assert "web" in done.stderr.split("exited with 1", 1)[0] + done.stderr.splitlines()[-1]
    rows = stacker.containers()
    assert rows.get("one-shot-web-1", {"pid": None})["pid"] is None


# sidecar


@pytest.fixture
def sidecar(stacker: Stacker) -> Stacker:
    stacker.ok("up", "-d", "--wait", example("sidecar"))
    return stacker


def test_a_sidecar_shares_the_network_of_its_app(sidecar: Stacker) -> None:
    eventually(
        lambda: "app says: from the app" in sidecar.ok("logs", "-p", "sidecar", "sidecar"),
        what="the sidecar's line",
    )
    assert len(namespaces(sidecar)) == 1
    assert ask() == b"from the app\n"


def test_a_stranger_reaches_none_of_them(sidecar: Stacker) -> None:
    app = row(sidecar, "sidecar-app-1")["addresses"][0]["ipv4_address"]
    for address in ("api", "app", app):
        done = sidecar(
            *("exec", "-T", "-p", "sidecar", "stranger", "nc", "-w", "1", address, "9000")
        )
        assert done.returncode != 0, address


def test_the_namespace_outlives_a_crash_of_the_app(sidecar: Stacker) -> None:
    before = sidecar.containers()
    done = sidecar("exec", "-T", "-p", "sidecar", "app", "kill", "2")
    # the container takes along what is in its pid namespace: also kill, where it has not ended yet
    assert done.returncode in (0, 137), done.stderr
    eventually(
        lambda: row(sidecar, "sidecar-app-1")["pid"] not in (None, before["sidecar-app-1"]["pid"]),
        what="the app's next process",
    )
    after = sidecar.containers()
    for name in ("sidecar-sidecar-1", "sidecar-door-1"):
        assert after[name]["pid"] == before[name]["pid"]
    assert len(namespaces(sidecar)) == 1
    assert ask() == b"from the app\n"


def test_a_restart_of_the_app_keeps_the_namespace(sidecar: Stacker) -> None:
    before = namespaces(sidecar)
    sidecar.ok("restart", "-t", "0", "-p", "sidecar", "app")
    assert namespaces(sidecar) == before
    assert ask() == b"from the app\n"


def namespaces(sidecar: Stacker) -> set[str]:
    rows = sidecar.containers()
    return {
        os.readlink(f"/proc/{rows[f'sidecar-{name}-1']['pid']}/ns/net")
        for name in ("app", "sidecar", "door")
    }


def ask() -> bytes:
    """Ask the app on its published port, through the door, once all of them listen."""

    def answer() -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", 9053), timeout=5) as client:
                return client.recv(100)
        except OSError:
            return b""

    return eventually(answer, what="the app's answer")


# limits


def test_limits_are_kept_and_told(stacker: Stacker) -> None:
    done = stacker("up", "-d", "--wait", example("limits"))
    assert done.returncode == 1
    assert "limits-hungry-1 killed: out of memory, all 3 attempts used up" in done.stderr

    hungry = row(stacker, "limits-hungry-1")
    assert (hungry["status"], hungry["restarts"]) == ("exited", 3)
    listed = stacker.ok("ps", "-a", "-p", "limits")
    assert "out of memory; all 3 attempts used up" in listed
    assert "out of memory" in stacker.ok("events", "-p", "limits")

    crowded = row(stacker, "limits-crowded-1")
    assert (crowded["status"], crowded["restarts"]) == ("running", 0)
    assert cgroups.limit(crowded["pid"], "pids") == "8"
    said = stacker.ok("logs", "-p", "limits", "crowded")
    assert "can't fork" in said
    assert "started what I could" in said


def test_the_modest_one_has_nothing_but_what_it_needs(stacker: Stacker) -> None:
    text = (REPOSITORY / "examples/limits/stack.yaml").read_text()
    modest = text[: text.index("  # asks for")] + text[text.index("  # nothing but") :]
    stacker.up(modest)

    def run(*command: str) -> tuple[int, str]:
        done = stacker("exec", "-T", "-p", "limits", "modest", *command)
        return done.returncode, done.stdout + done.stderr

    assert run("id", "-u") == (0, "65534\n")
    assert run("ls", "/sys/class/net") == (0, "lo\n")
    assert run("touch", "/tmp/x")[0] == 1
    code, status = run("grep", "^Cap", "/proc/self/status")
    assert (code, {int(line.split()[1], 16) for line in status.splitlines()}) == (0, {0})
    pid = row(stacker, "limits-modest-1")["pid"]
    assert cgroups.limit(pid, "cpu") == "10000"
    assert cgroups.limit(pid, "memory") == str(8 * 1024 * 1024)
