"""A terminal by console socket, for `create` and for `exec`, on all three runtimes."""

from __future__ import annotations

import os
import select
import socket
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime, wait_until

pytestmark = pytest.mark.root


class Console:
    """The other end of --console-socket."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(1)
        self._listener.settimeout(20)

    def close(self) -> None:
        self._listener.close()

    def master(self) -> int:
        connection, _ = self._listener.accept()
        with connection:
            _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
        self._listener.close()
        return fds[0]


def read_to_the_end(master: int) -> str:
    parts: list[bytes] = []
    while select.select([master], [], [], 20)[0]:
        try:
            part = os.read(master, 4096)
        except OSError:
            # EIO: the last of those who had the other end open is gone (pty(7))
            break
        if not part:
            break
        parts.append(part)
    os.close(master)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_the_container_has_a_terminal(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    console = Console(tmp_path / "console.sock")
    script = "tty; stty size; [ -t 0 ] && [ -t 2 ] && echo real; stat -c %F /dev/console"
    path = bundle.shell(script, terminal=True, consoleSize={"height": 33, "width": 77})
    any_runtime.ok("create", "--console-socket", console.path, "--bundle", path, identity)
    master = console.master()
    any_runtime.ok("start", identity)
    lines = read_to_the_end(master).split("\n")
    assert lines[:4] == ["/dev/pts/0", "33 77", "real", "character special file"]


def test_a_user_may_open_his_terminal(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    console = Console(tmp_path / "console.sock")
    path = bundle.shell("echo through > $(tty)", terminal=True, user={"uid": 5, "gid": 5})
    any_runtime.ok("create", "--console-socket", console.path, "--bundle", path, identity)
    master = console.master()
    any_runtime.ok("start", identity)
    assert read_to_the_end(master) == "through\n"


def test_ctrl_c_reaches_the_program(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    console = Console(tmp_path / "console.sock")
    script = "trap 'echo interrupted; exit 9' INT; touch /ready; while :; do sleep 0.01; done"
    path = bundle.shell(script, terminal=True)
    any_runtime.ok("create", "--console-socket", console.path, "--bundle", path, identity)
    master = console.master()
    any_runtime.ok("start", identity)
    wait_until((bundle.rootfs / "ready").exists)
    os.write(master, b"\x03")
    assert "interrupted" in read_to_the_end(master)


def test_exec_with_a_terminal(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    console = Console(tmp_path / "console.sock")
    any_runtime.ok(
        "exec", "--tty", "--detach", "--console-socket", console.path, identity,
        "/bin/sh", "-c", "tty; read line; echo got $line",
    )  # fmt: skip
    master = console.master()
    os.write(master, b"hello\n")
    said = read_to_the_end(master)
    assert "/dev/pts/0" in said
    assert "got hello" in said


def test_a_terminal_and_a_socket_belong_together(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    path = bundle.shell("true", terminal=True)
    assert any_runtime.call("create", "--bundle", path, identity).returncode != 0
    path = bundle.shell("true", terminal=False)
    socket_path = str(tmp_path / "none.sock")
    done = any_runtime.call("create", "--console-socket", socket_path, "--bundle", path, identity)
    assert done.returncode != 0
