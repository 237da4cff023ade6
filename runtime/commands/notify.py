"""The container's notify socket, and the service manager's that hears of it (sd_notify(3)).

The program inside gets a socket of its own: it may say that it is ready and nothing else. What
else a service says (a new main process, file descriptors to store) is about processes that the
manager knows by other numbers, or not at all, so only READY=1 is passed on.
"""

from __future__ import annotations

import os
import select

from runtime.container import directory
from runtime.errors import step
from runtime.linux.sockets import bind_datagrams, send_datagram

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

_LARGEST = 4096
_BARRIER_AWAITED = 30_000  # milliseconds; a manager before systemd 246 never answers


def open_notify(folder: str, warn: Callable[[str], None]) -> NotifySocket | None:
    """Bind the socket of a container made with NOTIFY_SOCKET, when we have one to tell."""
    manager = os.environ.get("NOTIFY_SOCKET", "")
    path = f"{folder}/{directory.NOTIFY}"
    if not manager or not os.path.isdir(path):
        return None
    with step(f"bind the notify socket in {path}"):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return NotifySocket(bind_datagrams(fd, directory.NOTIFY_SOCKET), manager, warn)
        finally:
            os.close(fd)


class NotifySocket:
    def __init__(self, own: _socket.socket, manager: str, warn: Callable[[str], None]) -> None:
        self._own = own
        self._manager = manager
        self._warn = warn
        own.setblocking(False)

    def fileno(self) -> int:
        return self._own.fileno()

    def close(self) -> None:
        self._own.close()

    def is_ready(self) -> bool:
        """Take one message: whether it says so."""
        try:
            message = self._own.recv(_LARGEST)
        except BlockingIOError:
            return False
        return b"READY=1" in message.split(b"\n")

    def wait(self, pidfd: int) -> bool:
        """Until the program says that it is ready, or has ended."""
        poll = select.poll()
        poll.register(self._own.fileno(), select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        while True:
            fds = [fd for fd, _ in poll.poll()]
            # its last words come first
            if self._own.fileno() in fds and self.is_ready():
                return True
            if fds == [pidfd]:
                return False

    def tell(self, main_pid: int = 0) -> None:
        """Pass it on; with `main_pid` that process is the service from now on, and not us."""
        try:
            send_datagram(self._manager, b"READY=1\n")
            if main_pid:
                send_datagram(self._manager, b"MAINPID=%d\n" % main_pid)
                self._wait_for_barrier()
        except OSError as error:
            self._warn(f"notify socket {self._manager}: {(error.strerror or str(error)).lower()}")

    def _wait_for_barrier(self) -> None:
        """We are about to end: a manager that finds no sender any more drops what was sent."""
        reader, writer = os.pipe()
        try:
            send_datagram(self._manager, b"BARRIER=1", writer)
            os.close(writer)
            writer = -1
            poll = select.poll()
            poll.register(reader, select.POLLIN)
            poll.poll(_BARRIER_AWAITED)
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)
