"""Supervisor and monitor may be killed, restarted or doubled: containers do not notice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

STACK = f"""
name: steady
services:
  db:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    healthcheck:
      test: [CMD, "true"]
      interval: 1s
      start_period: 5s
      start_interval: 100ms
    restart: unless-stopped
  web:
    image: {IMAGE}
    command: [sh, -c, "n=0; while :; do echo line $$n; n=$$((n+1)); usleep 2000; done"]
    depends_on:
      db:
        condition: service_healthy
    restart: unless-stopped
  once:
    image: {IMAGE}
    command: [sh, -c, "echo ran; exit 0"]
"""


@pytest.fixture
def steady(stacker: Stacker) -> Stacker:
    stacker.up(STACK)
    return stacker


def start_supervisor(stacker: Stacker) -> subprocess.Popen[bytes]:
    process = stacker.start(
        "daemon", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    # asked any command, there would be a second one: commands start what is missing
    eventually(lambda: stacker.answers() and stacker.running_supervisor() == process.pid)
    return process


def test_kill_9_leaves_pids_and_lines_as_they_are(steady: Stacker) -> None:
    before = steady.containers()
    processes: list[subprocess.Popen[bytes]] = []
    for _ in range(3):
        pid = steady.supervisor_pid()
        os.kill(pid, signal.SIGKILL)
        for process in processes:
            process.wait()
        eventually(lambda: steady.running_supervisor() is None, what="its death")
        processes = [start_supervisor(steady)]
    after = steady.containers()
    for name in ("steady-db-1", "steady-web-1"):
        assert after[name]["pid"] == before[name]["pid"]
        assert after[name]["started_at"] == before[name]["started_at"]

    lines = steady.ok("logs", "--no-log-prefix", "-p", "steady", "web").splitlines()
    assert lines[-1].startswith("line ")
    assert lines == [f"line {n}" for n in range(len(lines))]
    steady.ok("down", "-v", "-t", "0", "-p", "steady")
    os.kill(processes[0].pid, signal.SIGTERM)
    processes[0].wait(20)


def test_what_a_killed_one_was_writing_is_swept_at_the_next_start(steady: Stacker) -> None:
    os.kill(steady.supervisor_pid(), signal.SIGKILL)
    volume = steady.root / "volumes" / "v"
    (volume / "_data").mkdir(parents=True)
    (volume / "volume.json").write_text("{}")
    targets = [
        *steady.root.glob("*.json"),  # ip_forward
        *steady.root.glob("stacks/*.json"),
        *steady.root.glob("containers/*/record.json"),
        *steady.root.glob("volumes/*/volume.json"),
        *steady.root.glob("images/*.json"),
        *steady.root.glob("layers/*/*.json"),
        *steady.run.glob("*.json"),  # networks
        *steady.run.glob("containers/*/launch.json"),
    ]
    assert {target.parent.name for target in targets} >= {"root", "run", "stacks", "sha256", "v"}
    left = [target.with_name(f".{target.name}.0123abcd.new") for target in targets]
    theirs = volume / "_data" / left[0].name
    for path in (*left, theirs):
        path.touch()

    assert set(steady.containers()) == {"steady-db-1", "steady-web-1", "steady-once-1"}
    assert [path for path in left if path.exists()] == []
    assert theirs.exists()
    shutil.rmtree(volume)


def test_after_a_reboot_the_stack_comes_up_again_in_order(steady: Stacker) -> None:
    before = steady.containers()
    os.kill(steady.supervisor_pid(), signal.SIGKILL)
    eventually(lambda: steady.running_supervisor() is None, what="its death")
    for name in ("steady-db-1", "steady-web-1"):
        os.kill(int(before[name]["pid"]), signal.SIGKILL)

    steady.environment["STACKER_BOOT_ID"] = "another-boot"
    process = start_supervisor(steady)
    after = eventually(
        lambda: (rows := steady.containers())["steady-web-1"]["status"] == "running" and rows,
        what="web to run",
    )
    assert after["steady-db-1"]["health"] == "healthy"
    assert after["steady-web-1"]["started_at"] >= after["steady-db-1"]["started_at"]
    assert after["steady-once-1"]["started_at"] == before["steady-once-1"]["started_at"]
    assert after["steady-web-1"]["id"] == before["steady-web-1"]["id"]
    steady.ok("down", "-v", "-t", "0", "-p", "steady")
    os.kill(process.pid, signal.SIGTERM)
    process.wait(20)


def test_a_second_supervisor_on_the_same_root_is_refused(steady: Stacker) -> None:
    before = steady.containers()
    done = steady("daemon")
    assert done.returncode == 75
    assert f"another supervisor (pid {steady.supervisor_pid()}) holds" in done.stderr
    assert steady.containers()["steady-db-1"]["pid"] == before["steady-db-1"]["pid"]


def test_sigterm_leaves_containers_running(steady: Stacker) -> None:
    before = steady.containers()
    pid = steady.supervisor_pid()
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: steady.running_supervisor() is None, what="its end")
    for name in ("steady-db-1", "steady-web-1"):
        assert os.path.exists(f"/proc/{before[name]['pid']}")
    process = start_supervisor(steady)
    assert steady.containers()["steady-web-1"]["pid"] == before["steady-web-1"]["pid"]
    steady.ok("down", "-v", "-t", "0", "-p", "steady")
    os.kill(process.pid, signal.SIGTERM)
    process.wait(20)


def test_the_supervisor_of_an_up_ends_with_its_last_stack(steady: Stacker) -> None:
    pid = steady.supervisor_pid()
    steady.ok("down", "-v", "-t", "0", "-p", "steady")
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), what="the supervisor's end")


def test_any_command_brings_a_supervisor_that_died_back(steady: Stacker) -> None:
    before = steady.containers()
    os.kill(steady.supervisor_pid(), signal.SIGKILL)
    eventually(lambda: steady.running_supervisor() is None, what="its death")
    after = steady.containers()
    assert after["steady-web-1"]["pid"] == before["steady-web-1"]["pid"]
    assert steady.running_supervisor() is not None


COUNTING = f"""
name: orphan
services:
  counter:
    image: {IMAGE}
    command: [sh, -c, "n=0; while :; do echo line $$n; n=$$((n+1)); usleep 5000; done"]
  job:
    image: {IMAGE}
    command: [sh, -c, "trap 'exit 23' TERM; while :; do usleep 50000; done"]
  kept:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    restart: always
"""


def test_containers_outlive_the_monitor(stacker: Stacker) -> None:
    stacker.up(COUNTING)
    before = stacker.containers()
    monitor = monitor_of(before["orphan-counter-1"]["pid"])
    os.kill(monitor, signal.SIGKILL)

    def lines() -> list[str]:
        return stacker.ok("logs", "--no-log-prefix", "-p", "orphan", "counter").splitlines()

    eventually(lambda: not os.path.exists(f"/proc/{monitor}"), what="the monitor's end")
    count = len(lines())
    eventually(lambda: len(lines()) > count + 10, what="lines through the next monitor")
    after = stacker.containers()
    assert {n: r["pid"] for n, r in after.items()} == {n: r["pid"] for n, r in before.items()}
    numbers = [int(line.split()[1]) for line in lines() if line.startswith("line ")]
    assert numbers == list(range(len(numbers)))

    stacker.ok("stop", "-p", "orphan", "job")
    assert stacker.containers()["orphan-job-1"]["exit_code"] == 23
    os.kill(after["orphan-kept-1"]["pid"], signal.SIGKILL)
    eventually(
        lambda: (
            stacker.containers()["orphan-kept-1"]["pid"]
            not in (None, after["orphan-kept-1"]["pid"])
        ),
        what="its next process",
    )
    stacker.ok("exec", "-T", "-p", "orphan", "kept", "true")


def monitor_of(pid: int) -> int:
    """The parent of a container's first process."""
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
