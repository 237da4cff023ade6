"""A Ctrl-C that interrupts no system call of the main thread is heeded all the same."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stacker.cli.ctrl_c import POKE, heeded
from stacker.cli.exits import Exit
from stacker.cli.main import main
from stacker.client.session import Place


def _interrupt_another_thread() -> None:
    """Leave the main thread in its read, as when the signal comes just before it."""
    state = Path(f"/proc/self/task/{os.getpid()}/stat")
    while state.read_text().rpartition(") ")[2][0] != "S":
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def _start_and_read(thread: threading.Thread, reader: int) -> None:
    thread.start()
    os.read(reader, 1)


def test_it_is_raised_out_of_a_read_that_it_did_not_interrupt() -> None:
    reader, writer = os.pipe()
    try:
        for _ in range(3):
            with heeded():
                thread = threading.Thread(target=_interrupt_another_thread)
                with pytest.raises(KeyboardInterrupt):
                    _start_and_read(thread, reader)
                thread.join()
    finally:
        os.close(reader)
        os.close(writer)


INTERRUPTED_AGAIN = """
import os, select, signal, time
from stacker.cli.ctrl_c import heeded

def wait(ready):
    with heeded():
        os.write(ready, b"x")
        time.sleep(600)

for _ in range(200):
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        wait(writer)
    os.read(reader, 1)
    for _ in range(4):
        os.kill(pid, signal.SIGINT)
    watch = os.pidfd_open(pid)
    if not select.select([watch], [], [], 20)[0]:
        os.kill(pid, signal.SIGKILL)
        print("not heeded")
    os.waitpid(pid, 0)
    for fd in (reader, writer, watch):
        os.close(fd)
"""


def test_one_that_interrupts_the_handler_of_another() -> None:
    program = [sys.executable, "-c", INTERRUPTED_AGAIN]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert done.stdout == ""


def test_all_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(POKE)
    with heeded():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(POKE)) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_an_ignored_one_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heeded():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


WAITING = (
    "login --username u --password-stdin localhost:1",
    "logout localhost:1",
    "pull -f stack.yaml",
    "lock -f stack.yaml",
    "outdated",
    "df",
    "prune",
    "image pull a",
    "image push a",
    "image copy a b",
    "image commit a b",
    "image rm a",
    "image verify",
    "image mount a",
    "image unmount a",
)


@pytest.mark.parametrize("words", WAITING)
def test_verbs_that_wait_for_the_supervisor_heed_it(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"password\n")))
    Path("stack.yaml").write_text("services: {}")
    with socket.create_server("api.sock", family=socket.AF_UNIX) as server:
        monkeypatch.setattr(Place, "socket", "api.sock")
        silent = threading.Thread(target=_take_a_request_and_interrupt, args=(server,))
        silent.start()
        assert main(words.split()) == Exit.INTERRUPTED
        silent.join()


def _take_a_request_and_interrupt(server: socket.socket) -> None:
    request = b""
    while not request:  # the first ones only try whether somebody is there
        connection, _ = server.accept()
        with connection:
            while not request.endswith(b"\r\n\r\n") and (piece := connection.recv(65536)):
                request += piece
                if b"\r\n\r\n" in request:
                    break
            if request:
                _interrupt_another_thread()
                connection.recv(65536)  # its end
