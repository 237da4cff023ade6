"""The socket on which a runtime hands over the terminal that it made (runc's protocol)."""

from __future__ import annotations

import contextlib
import os
import socket


class Console:
    def __init__(self, directory: str) -> None:
        # through an fd of the directory: a socket's path has no room for more than 107 bytes
        self._directory = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._name = f"console.{os.urandom(6).hex()}"
        self.path = f"/proc/{os.getpid()}/fd/{self._directory}/{self._name}"
        kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
        self._listener = socket.socket(socket.AF_UNIX, kind)
        self._listener.bind(self.path)
        self._listener.listen(1)

    def receive(self) -> int:
        """Return the terminal's master; the runtime has ended, so it is there or never comes."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return -1
        with connection:
            connection.setblocking(False)
            try:
                _, received, _, _ = socket.recv_fds(connection, 4096, 1)
            except BlockingIOError:
                return -1
        if received:
            os.set_inheritable(received[0], False)
        return received[0] if received else -1

    def close(self) -> None:
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        os.close(self._directory)
