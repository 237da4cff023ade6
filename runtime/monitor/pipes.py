"""The named pipes and terminals that stand between a container and its log.

Both sides open a pipe for reading and writing: the container never sees EPIPE when the monitor
dies, what it wrote waits, and the next monitor opens the same pipe by its name. So a pipe has no
end of file; that the container is gone says its exit.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Callable

from runtime.monitor.log_file import BUDGET, LogFile
from runtime.monitor.loop import Loop
from runtime.wire.frames import STDERR, STDOUT
from runtime.wire.messages import Stdio

_PIPE_SIZES = (1024 * 1024, 256 * 1024)
"""What waits while no monitor runs; the kernel may refuse the larger to who lacks the right."""

_OUTPUTS = ((STDOUT, "stdout"), (STDERR, "stderr"))
_MOST_DRAINED = 64 * 1024 * 1024
"""After the end of a container: others may hold its pipe (no pid namespace) and go on for ever."""


class Outputs:
    """What the monitor holds of one container: pipes or a terminal, stdin, and the log."""

    def __init__(self, stdio: Stdio, loop: Loop, devnull: int) -> None:
        self.stdio = stdio
        self.writer = -1
        """Where stdin is written to: a pipe, or the terminal; -1: nowhere."""
        self._loop = loop
        self._pipes: dict[int, int] = {}
        self._terminal = -1
        self._log = LogFile(
            stdio.log, max_size=stdio.max_size, max_files=stdio.max_files, devnull=devnull
        )

    def open(self, *, fresh: bool) -> None:
        """Make or find the named pipes, and start to read."""
        for stream, name in _OUTPUTS:
            fd = _open_pipe(self._path(name), fresh=fresh)
            self._pipes[stream] = fd
            self._loop.watch(fd, self._reader(fd, stream))
        if self.stdio.stdin:
            self.writer = _open_pipe(self._path("stdin"), fresh=fresh)

    def child_ends(self, devnull: int) -> tuple[int, int, int]:
        """Open the container's side; the caller closes what is not devnull."""
        stdin = devnull
        if self.stdio.stdin:
            # for reading alone, else the program would be a writer of its own input
            stdin = os.open(self._path("stdin"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.set_blocking(stdin, True)
        flags = os.O_RDWR | os.O_CLOEXEC
        return stdin, os.open(self._path("stdout"), flags), os.open(self._path("stderr"), flags)

    def take_terminal(self, master: int) -> None:
        self._terminal = self.writer = master
        os.set_blocking(master, False)
        self._loop.watch(master, self._read_terminal)

    def close(self) -> None:
        """Take what is still in the pipes, then let go of everything."""
        for stream, fd in self._pipes.items():
            left = _MOST_DRAINED
            while left > 0 and (available := _available(fd)):
                self._log.take(fd, stream, available)
                left -= BUDGET
        while self._terminal >= 0:
            self._read_terminal(0)
        for fd in {*self._pipes.values(), self.writer} - {-1}:
            self._loop.unwatch(fd)
            os.close(fd)
        self._pipes.clear()
        self.writer = -1
        self._log.close()
        for name in ("stdin", "stdout", "stderr"):
            _remove(self._path(name))

    def _reader(self, fd: int, stream: int) -> Callable[[int], None]:
        def read(_events: int) -> None:
            if available := _available(fd):
                self._log.take(fd, stream, available)

        return read

    def _read_terminal(self, _events: int) -> None:
        try:
            content = os.read(self._terminal, BUDGET)
        except BlockingIOError:
            if not _events:
                self._drop_terminal()
            return
        except OSError:
            content = b""  # EIO: the other side is closed (tty_ioctl(4))
        if content:
            self._log.write(STDOUT, content)
        else:
            self._drop_terminal()

    def _drop_terminal(self) -> None:
        self._loop.unwatch(self._terminal)
        os.close(self._terminal)
        self._terminal = self.writer = -1

    def _path(self, name: str) -> str:
        return f"{self.stdio.directory}/{name}"


def _open_pipe(path: str, *, fresh: bool) -> int:
    if fresh:
        _remove(path)
    with contextlib.suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    for size in _PIPE_SIZES:
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)
            break
        except PermissionError:
            continue
    return fd


def _available(fd: int) -> int:
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"))[0]


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
