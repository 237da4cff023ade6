"""The input of a running container: a pipe, or the master of its terminal."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

import anyio

from stacker.base.errors import Conflict


class Attachment:
    """Owns one fd; ``aclose`` it. Closing it does not end the container's input."""

    def __init__(self, fd: int, *, terminal: bool) -> None:
        self._fd = fd
        self._terminal = terminal
        os.set_blocking(fd, False)

    async def write(self, content: bytes) -> None:
        await write_all(self._fd, content)

    async def resize(self, rows: int, columns: int) -> None:
        if self._terminal:
            set_size(self._fd, rows, columns)

    async def aclose(self) -> None:
        if self._fd >= 0:
            anyio.notify_closing(self._fd)
            os.close(self._fd)
            self._fd = -1


async def write_all(fd: int, content: bytes) -> None:
    """Write to a pipe or terminal that does not block."""
    view = memoryview(content)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await anyio.wait_writable(fd)
        except OSError as error:
            raise Conflict("the process does not read its input any more") from error


def set_size(terminal: int, rows: int, columns: int) -> None:
    """Resize; the kernel sends SIGWINCH to the foreground of the terminal."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
