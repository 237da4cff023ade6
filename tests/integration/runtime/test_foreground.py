"""`run` and `exec` in front of a real terminal: as if the program inside were started here."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.linux import terminal
from tests.integration.runtime.conftest import DEADLINE_S, Bundle, Runtime, wait_until

pytestmark = pytest.mark.root


class Screen:
    """A terminal, and a program of ours that has it as its own."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.seen = ""

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True
        )

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def await_text(self, pattern: str) -> re.Match[str]:
        while (found := re.search(pattern, self.seen)) is None:
            assert select.select([self.master], [], [], DEADLINE_S)[0], f"only {self.seen!r}"
            self.seen += os.read(self.master, 4096).decode()
        return found

    def settings(self) -> list[object]:
        return termios.tcgetattr(self.slave)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


def size_less_in_crun(runtime: Runtime) -> None:
    if runtime.name == "crun":
        pytest.skip("crun 1.8 gives the terminal inside no size")


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.close()


def test_run_is_on_our_terminal(
    any_runtime: Runtime, screen: Screen, bundle: Bundle, identity: str
) -> None:
    size_less_in_crun(any_runtime)
    terminal.set_size(screen.slave, 21, 87)
    before = screen.settings()
    # runc gives the size a moment after its program has started, and may lose what is written first
    script = (
        "until stty size >/dev/null 2>&1; do sleep 0.01; done; "
        "until read -t 1 line; do stty size; tty; echo ready; done; echo got-$line; exit 6"
    )
    path = bundle.shell(script, terminal=True)
    started = screen.start(any_runtime.argv("run", "--bundle", path, identity))
    screen.await_text(r"21 87\r*\n/dev/pts/0\r*\nready")
    # ours is raw meanwhile: it is the other one that echoes
    assert screen.settings() != before
    screen.type("hello\r")
    screen.await_text("got-hello")
    assert started.wait(DEADLINE_S) == 6
    assert screen.settings() == before


def test_keys_and_sizes_reach_the_program(
    any_runtime: Runtime, screen: Screen, bundle: Bundle, identity: str
) -> None:
    size_less_in_crun(any_runtime)
    script = (
        "trap 'echo interrupted' INT; trap 'echo now $(stty size)' WINCH; echo ready; "
        "while [ ! -e /end ]; do sleep 0.05; done; exit 3"
    )
    path = bundle.shell(script, terminal=True)
    started = screen.start(any_runtime.argv("run", "--bundle", path, identity))
    screen.await_text("ready")
    screen.type("\x03")
    screen.await_text("interrupted")
    terminal.set_size(screen.slave, 33, 44)
    # the kernel tells those in front of the terminal; our runtime leads a session without one
    started.send_signal(signal.SIGWINCH)
    screen.await_text("now 33 44")
    (bundle.rootfs / "end").touch()
    assert started.wait(DEADLINE_S) == 3


def test_exec_is_on_our_terminal(
    any_runtime: Runtime, screen: Screen, bundle: Bundle, identity: str
) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    terminal.set_size(screen.slave, 21, 87)
    before = screen.settings()
    script = "tty; stty size; read a; exit $a"
    argv = any_runtime.argv("exec", "-t", identity, "/bin/sh", "-c", script)
    started = screen.start(argv)
    # runc sets the size when the program runs already, crun 1.8 never
    size = r"\r*\n21 87" if any_runtime.name == "builtin" else ""
    screen.await_text(f"/dev/pts/0{size}")
    screen.type("9\r")
    assert started.wait(DEADLINE_S) == 9
    assert screen.settings() == before


def test_all_of_it_comes_out(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    """Into a pipe too, with the lines as they were written, however slow the reader."""
    script = "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done"
    path = bundle.shell(script, terminal=True)
    done = subprocess.run(
        runtime.argv("run", "--bundle", path, identity),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.decode() == "".join(f"line {index}\n" for index in range(5000))


def test_a_reader_that_leaves_does_not_stop_the_program(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; touch /done; exit 4"
    path = bundle.shell(script, terminal=True)
    reader, writer = os.pipe()
    started = subprocess.Popen(
        runtime.argv("run", "--bundle", path, identity), stdin=subprocess.DEVNULL, stdout=writer
    )
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    assert started.wait(DEADLINE_S) == 4
    assert (bundle.rootfs / "done").exists()


def test_the_terminal_is_given_back_when_the_program_is_killed(
    any_runtime: Runtime, screen: Screen, bundle: Bundle, identity: str
) -> None:
    before = screen.settings()
    path = bundle.shell("echo ready; exec sleep 100", terminal=True)
    started = screen.start(any_runtime.argv("run", "--bundle", path, identity))
    screen.await_text("ready")
    any_runtime.ok("kill", identity, "KILL")
    assert started.wait(DEADLINE_S) == 137
    assert screen.settings() == before


def test_signals_are_passed_on(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    path = bundle.shell("trap 'exit 5' TERM; touch /ready; while :; do sleep 0.01; done")
    started = subprocess.Popen(any_runtime.argv("run", "--bundle", path, identity))
    wait_until((bundle.rootfs / "ready").exists)
    if any_runtime.name == "crun":
        # it was started by a shell of ours, which is not in its way
        assert Path(f"/proc/{started.pid}/comm").read_text().strip() == "crun"
    started.send_signal(signal.SIGTERM)
    assert started.wait(DEADLINE_S) == 5


@pytest.mark.parametrize("flags", [("--no-subreaper",), ("--keep",)])
def test_it_is_waited_for_all_the_same(
    any_runtime: Runtime, bundle: Bundle, identity: str, flags: tuple[str, ...]
) -> None:
    if any_runtime.name == "crun" and flags == ("--keep",):
        pytest.skip("a flag of runc")
    path = bundle.shell("exit 11")
    assert any_runtime.call("run", *flags, "--bundle", path, identity).returncode == 11
    left = any_runtime.ok("list", "-q").split()
    assert left == ([identity] if flags == ("--keep",) else [])


def test_no_signal_leaves_a_container_behind(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    """One that comes while the container is made is for its program, whichever it is."""
    seen = tmp_path / "seen"
    hook = f"echo >> {seen}; until [ -e {seen}.go ]; do sleep 0.01; done"
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", hook]}]}
    namespaces = bundle.config["linux"]["namespaces"]
    # the first process of one of its own ignores what it has not asked for
    namespaces[:] = [one for one in namespaces if one["type"] != "pid"]
    path = bundle.write("/bin/sleep", "100")
    for number in (signal.SIGTERM, signal.SIGRTMIN + 3):
        with subprocess.Popen(runtime.argv("run", "--bundle", path, identity)) as started:
            wait_until(seen.exists)
            started.send_signal(number)
            Path(f"{seen}.go").touch()
            assert started.wait(DEADLINE_S) == 128 + number
        assert runtime.call("state", identity).returncode != 0
        seen.unlink()
        Path(f"{seen}.go").unlink()
