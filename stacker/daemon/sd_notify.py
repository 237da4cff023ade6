"""Tell systemd how we are, by its protocol: datagrams to ``$NOTIFY_SOCKET`` (sd_notify(3)).

Without that variable nothing is sent. A service manager that does not listen is no reason to fail.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

LISTEN_FDS_START = 3


class Notifier:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self.watchdog_s = _watchdog(environment)
        """How often systemd wants to hear from us, in seconds; None: never."""

    @property
    def is_heard(self) -> bool:
        """Does a service manager listen?"""
        return self._address.startswith(("/", "@"))

    def send(self, *assignments: str) -> None:
        """Send ``NAME=value`` lines, such as ``READY=1`` or ``STATUS=…``."""
        if not self.is_heard:
            return
        address = self._address
        if address.startswith("@"):  # the abstract name space
            address = "\0" + address[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            try:
                sock.connect(address)
                sock.send("\n".join(assignments).encode())
            except OSError:
                return


def listening_sockets(environment: Mapping[str, str]) -> int:
    """Return how many sockets systemd passed to this very process, from descriptor 3 on."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return 0
    count = environment.get("LISTEN_FDS", "0")
    return int(count) if count.isdigit() else 0


def _watchdog(environment: Mapping[str, str]) -> float | None:
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    period = environment.get("WATCHDOG_USEC", "")
    return int(period) / 1e6 if period.isdigit() and int(period) > 0 else None
