"""The supervisor's process: its lock, its signals, and what it tells systemd."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from stacker.base.errors import Unavailable
from stacker.client import session
from stacker.client.api import Supervisor
from stacker.wire.requests import DeclarationBody, DownRequest, UpRequest

pytestmark = pytest.mark.root


def up(running, name: str = "shop") -> None:
    body = DeclarationBody(files=(), working_dir="/", environment={}, project=name)
    running.client.up(UpRequest(declaration=body)).result()


def answers(running) -> bool:
    return session.is_running(running.place)


def test_sigterm_ends_it_in_order(supervisor) -> None:
    stream = supervisor.client.events(follow=True)
    assert supervisor.end() == 0
    stream.close()
    assert not answers(supervisor)


def test_a_second_one_names_the_first(supervisor, start) -> None:
    second = start()
    assert second.process.wait(10) == session.LOCK_HELD
    said = second.log.read_text()
    assert f"another supervisor (pid {supervisor.process.pid}) holds" in said
    assert "Traceback" not in said
    assert answers(supervisor)


def test_a_killed_one_leaves_no_lock_and_no_socket_in_the_way(supervisor, start) -> None:
    supervisor.end(signal.SIGKILL)
    successor = start()
    wait_until(lambda: answers(successor), successor)


def test_what_is_in_the_way_is_not_removed(start, tmp_path: Path) -> None:
    (tmp_path / "run/api").mkdir(parents=True)
    (tmp_path / "run/api/stacker.sock").write_text("precious")
    running = start()
    assert running.process.wait(10) == 1
    assert "is in the way" in running.log.read_text()
    assert (tmp_path / "run/api/stacker.sock").read_text() == "precious"


def test_a_directory_of_somebody_else_is_refused(start, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", 65534, 65534)
    running = start()
    assert running.process.wait(10) == 1
    assert "belongs to user 65534" in running.log.read_text()


def test_only_root_may(tmp_path: Path, start) -> None:
    os.chmod(tmp_path, 0o777)
    running = start(user=65534)
    code = running.process.wait(10)
    if "can't open file" in running.log.read_text():
        pytest.skip("the repository cannot be read by others")
    assert code == 1
    assert "needs root" in running.log.read_text()


@pytest.mark.parametrize("option", [["--nope"], ["--root"]])
def test_a_usage_error_is_64(start, option: list[str]) -> None:
    assert start(*option).process.wait(10) == 64


def test_an_ephemeral_one_ends_with_its_last_stack(start) -> None:
    running = start("--ephemeral")
    wait_until(lambda: answers(running), running)
    up(running, "one")
    up(running, "two")
    assert running.client.down("one", DownRequest()).result() == {"supervisor_ends": False}
    assert running.client.down("two", DownRequest()).result() == {"supervisor_ends": True}
    assert running.process.wait(10) == 0


def test_sighup_reads_the_files_again(supervisor) -> None:
    stream = supervisor.client.events(follow=True)
    supervisor.process.send_signal(signal.SIGHUP)
    assert next(iter(stream)).message == "reloaded"
    stream.close()


def test_systemd_is_told(start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        running = start(
            environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        )
        assert received(manager, "READY=1")["STATUS"] == "no stacks"
        received(manager, "WATCHDOG=1")
        received(manager, "WATCHDOG=1")
        up(running)
        while received(manager, "WATCHDOG=1")["STATUS"] == "no stacks":
            pass
        running.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC" in received(manager, "RELOADING=1")
        received(manager, "READY=1")
        running.process.send_signal(signal.SIGTERM)
        received(manager, "STOPPING=1")
        assert running.process.wait(10) == 0


def received(manager: socket.socket, wanted: str) -> dict[str, str]:
    """Read messages until one has the wanted line."""
    while True:
        lines = manager.recv(4096).decode().split("\n")
        if wanted in lines:
            return dict(line.split("=", 1) for line in lines)


def test_a_socket_that_systemd_made_is_taken(start, tmp_path: Path) -> None:
    path = tmp_path / "activated.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        inherited = listener.fileno()
        running = start(
            environment={"LISTEN_FDS": "1", "ACTIVATED_FD": str(inherited)},
            pass_fds=(inherited,),
        )
        wait_until(lambda: listens(path), running)
        assert Supervisor(str(path)).info().pid == running.process.pid


def listens(path: Path) -> bool:
    try:
        Supervisor(str(path)).info()
    except Unavailable:
        return False
    return True


def wait_until(condition, running, within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert running.process.poll() is None, running.log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_unit_file_is_what_systemd_knows() -> None:
    unit = Path(__file__).parents[3] / "packaging/stacker.service"
    lines = unit.read_text().splitlines()
    for needed in ("Type=notify", "KillMode=process", "OOMPolicy=continue", "Delegate=yes"):
        assert needed in lines
    verify = subprocess.run(["which", "systemd-analyze"], capture_output=True, check=False)
    if verify.returncode == 0:
        done = subprocess.run(
            ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
        )
        assert "Unknown" not in done.stderr
