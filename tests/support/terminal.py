"""A real terminal with a program in it: what it shows, keys, its size, its end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.slowness import SLOWNESS

CTRL_C = b"\x03"


class Terminal:
    """The user's side of a pseudo terminal."""

    def __init__(self, pid: int, master: int) -> None:
        self.pid = pid
        self._master = master
        self.shown = ""
        self._seen = 0

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def type(self, line: str) -> None:
        self.press(f"{line}\r".encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def expect(self, text: str, *, within: float = 20.0) -> str:
        """Wait for a text behind what was expected before; return all up to its end."""
        deadline = time.monotonic() + within * SLOWNESS
        while (found := self.shown.find(text, self._seen)) < 0:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} was not shown within {within} s: {self.shown!r}"
            if not self._read(left):
                raise AssertionError(f"ended before {text!r} was shown: {self.shown!r}")
        start, self._seen = self._seen, found + len(text)
        return self.shown[start : self._seen]

    def end(self, *, within: float = 20.0) -> int:
        """Wait for the program's end; return its exit code."""
        deadline = time.monotonic() + within * SLOWNESS
        while self._read(max(0.0, deadline - time.monotonic())):
            assert time.monotonic() < deadline, f"it did not end: {self.shown!r}"
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._master)

    def _read(self, within: float) -> bool:
        """Take what comes; False at the end."""
        ready, _, _ = select.select([self._master], [], [], min(within, 1.0))
        if not ready:
            return True
        try:
            received = os.read(self._master, 65536)
        except OSError:  # EIO: nobody holds the other side any more
            return False
        self.shown += received.decode(errors="replace")
        return bool(received)


@contextmanager
def terminal(
    argv: list[str], env: dict[str, str], cwd: Path, *, size: tuple[int, int] = (24, 80)
) -> Iterator[Terminal]:
    """Run a program in a terminal of its own."""
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.chdir(cwd)
            rows, columns = size
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
            os.execve(argv[0], argv, env)
        finally:
            os._exit(127)
    screen = Terminal(pid, master)
    try:
        yield screen
    finally:
        screen.close()
