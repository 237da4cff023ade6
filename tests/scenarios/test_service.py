"""The supervisor under a service manager: what it tells, and the socket it is given.

The manager is played by the test: a datagram socket as $NOTIFY_SOCKET, a listening socket as
descriptor 3, as systemd passes them (sd_notify(3), sd_listen_fds(3)).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.supervisor import IMAGE, Stacker, eventually

pytestmark = pytest.mark.root

STACK = f"""
name: served
services:
  web:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
"""

ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What the manager does between fork and exec."""


class Manager:
    """The receiving end of sd_notify."""

    def __init__(self, stacker: Stacker) -> None:
        self.path = stacker.directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(20)

    def falls_silent(self, *, within: int, after_s: float) -> bool:
        """Whether there comes nothing for a while, once what was sent before is read."""
        self._socket.settimeout(after_s)
        try:
            for _ in range(within):
                self._socket.recv(4096)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(20)
        return False

    def until(self, word: str) -> list[str]:
        """Return the assignments up to the datagram with this one."""
        told: list[str] = []
        while word not in told:
            told += self._socket.recv(4096).decode().splitlines()
        return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(stacker: Stacker) -> Iterator[Manager]:
    stacker.up(STACK)
    os.kill(stacker.supervisor_pid(), signal.SIGTERM)
    eventually(lambda: stacker.running_supervisor() is None, what="the first supervisor's end")
    manager = Manager(stacker)
    stacker.environment["NOTIFY_SOCKET"] = str(manager.path)
    stacker.environment["WATCHDOG_USEC"] = "200000"
    yield manager
    manager.close()


def ended(stacker: Stacker, process: subprocess.Popen[bytes]) -> None:
    stacker("down", "-v", "-t", "0", "-p", "served")
    process.terminate()
    process.wait(20)


def test_it_tells_how_it_is_from_start_to_end(stacker: Stacker, manager: Manager) -> None:
    process = stacker.start("daemon", stderr=subprocess.DEVNULL)
    try:
        # ready only when it answers, and it knows what runs already
        assert "READY=1" in manager.until("READY=1")
        pid = stacker.containers()["served-web-1"]["pid"]
        assert pid is not None
        manager.until("STATUS=1 of 1 stacks in sync, 1 containers")
        for _ in range(3):
            manager.until("WATCHDOG=1")

        process.send_signal(signal.SIGHUP)
        told = manager.until("RELOADING=1")
        assert any(line.startswith("MONOTONIC_USEC=") for line in told)
        manager.until("READY=1")

        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert process.wait(20) == 0
        assert os.path.exists(f"/proc/{pid}")
    finally:
        stacker.environment.clear()
        process = stacker.start("daemon", stderr=subprocess.DEVNULL)
        eventually(lambda: stacker("info").returncode == 0, what="the supervisor's answer")
        ended(stacker, process)


def test_a_supervisor_that_hangs_falls_silent(stacker: Stacker, manager: Manager) -> None:
    """The watchdog is fed from the event loop: a stopped process feeds it no more."""
    process = stacker.start("daemon", stderr=subprocess.DEVNULL)
    try:
        manager.until("WATCHDOG=1")
        process.send_signal(signal.SIGSTOP)
        assert manager.falls_silent(within=100, after_s=0.6)
    finally:
        process.send_signal(signal.SIGCONT)
        manager.until("WATCHDOG=1")
        ended(stacker, process)


def test_it_takes_the_socket_that_it_is_given(stacker: Stacker, manager: Manager) -> None:
    path = stacker.run / "api/stacker.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(16)
        # a client that comes before the supervisor waits, and is answered
        early = subprocess.Popen(
            stacker.command("ps", "-a", "--format", "json"),
            env=stacker.env(),
            stdout=subprocess.PIPE,
        )
        fd = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATED, str(fd), *stacker.command("daemon")],
            env=stacker.env(),
            cwd="/",
            pass_fds=(fd,),
            stderr=subprocess.DEVNULL,
        )
        try:
            out, _ = early.communicate(timeout=30)
            assert early.returncode == 0
            assert b"served-web-1" in out
            inode = os.stat(path).st_ino
            assert stacker.containers()["served-web-1"]["status"] == "running"
            assert os.stat(path).st_ino == inode
        finally:
            ended(stacker, process)
