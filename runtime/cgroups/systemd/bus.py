"""A connection to systemd or to a bus: log in, call methods, take signals (D-Bus specification).

One call at a time, each with a deadline; nothing is kept between connections.
"""

from __future__ import annotations

import _socket
import time

from runtime.cgroups.systemd.marshal import Malformed
from runtime.cgroups.systemd.message import (
    ERROR,
    FIXED_SIZE,
    METHOD_CALL,
    METHOD_RETURN,
    SIGNAL,
    Message,
    message_size,
    pack,
    unpack,
)
from runtime.errors import RuntimeFault
from runtime.linux.sockets import connect_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroups.systemd.address import Endpoint

# who we are, the kernel tells (SO_PEERCRED): no number is sent, so that it is right in a user
# namespace too. All three lines at once, as sd-bus does it: one round trip
_LOGIN = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"
_LONGEST_LINE = 512
_DEADLINE_S = 30.0
# signals that came while an answer was awaited
_MOST_SIGNALS = 1024

BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class BusFault(RuntimeFault):
    """The other side refused, or does not answer; `name` is the error's on D-Bus, or empty."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class Bus:
    __slots__ = ("_connection", "_rest", "_serial", "_signals", "endpoint")

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises OSError where nobody listens."""
        self.endpoint = endpoint
        self._serial = 0
        self._signals: list[Message] = []
        self._rest = b""
        self._connection = connect_to(endpoint.path)
        try:
            self._log_in()
            if endpoint.is_bus:
                self.call(BUS, "Hello")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def call(
        self, target: tuple[str, str, str], member: str, signature: str = "", *arguments: Any
    ) -> tuple[Any, ...]:
        """`target` is (name, object, interface); gives what the method returns."""
        name, path, interface = target
        self._serial += 1
        fields = {
            "path": path,
            "interface": interface,
            "member": member,
            "signature": signature,
            **({"destination": name} if self.endpoint.is_bus else {}),
        }
        call = Message(METHOD_CALL, serial=self._serial, fields=fields, body=arguments)
        deadline = time.monotonic() + _DEADLINE_S
        self._send(pack(call))
        while True:
            message = self._receive(deadline, f"call {member}")
            if message.fields.get("reply_serial") != self._serial:
                self._keep(message)
                continue
            if message.kind == ERROR:
                text = str(message.body[0]) if message.body else "refused"
                raise BusFault(f"{member}: {text.rstrip('.')}", message.text("error_name"))
            if message.kind == METHOD_RETURN:
                return message.body

    def next_signal(self, member: str, sender: str | None) -> tuple[Any, ...]:
        """The body of a signal, which may have come already; BusFault when none comes in time.

        Without a sender anybody's counts: on a socket of one speaker there is no other.
        """
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            for index, message in enumerate(self._signals):
                if message.text("member") == member and sender in (None, message.text("sender")):
                    return self._signals.pop(index).body
            self._keep(self._receive(deadline, f"wait for {member}"))

    def _keep(self, message: Message) -> None:
        if message.kind == SIGNAL and len(self._signals) < _MOST_SIGNALS:
            self._signals.append(message)

    def _log_in(self) -> None:
        self._send(_LOGIN)
        deadline = time.monotonic() + _DEADLINE_S
        for expected in (b"DATA", b"OK"):
            line = self._line(deadline)
            if line.split(b" ")[0] != expected:
                raise BusFault(f"log in to {self.endpoint.path}: refused")

    def _line(self, deadline: float) -> bytes:
        while b"\r\n" not in self._rest:
            if len(self._rest) > _LONGEST_LINE:
                raise BusFault(f"log in to {self.endpoint.path}: not D-Bus")
            self._fill(deadline, "log in")
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def _receive(self, deadline: float, step: str) -> Message:
        try:
            size = message_size(self._exactly(FIXED_SIZE, deadline, step))
            data = self._exactly(size, deadline, step)
            message = unpack(data)
        except Malformed as error:
            raise BusFault(f"{step}: {self.endpoint.path}: {error}") from error
        self._rest = self._rest[size:]
        return message

    def _exactly(self, size: int, deadline: float, step: str) -> bytes:
        """That many bytes, which stay where they are."""
        while len(self._rest) < size:
            self._fill(deadline, step)
        return self._rest[:size]

    def _fill(self, deadline: float, step: str) -> None:
        left_s = deadline - time.monotonic()
        try:
            if left_s <= 0:
                raise TimeoutError
            self._connection.settimeout(left_s)
            received = self._connection.recv(65536)
        except TimeoutError as error:
            raise BusFault(
                f"{step}: {self.endpoint.path}: no answer in {_DEADLINE_S:.0f} seconds"
            ) from error
        except OSError as error:
            raise BusFault(f"{step}: {self.endpoint.path}: {error.strerror}") from error
        if not received:
            raise BusFault(f"{step}: {self.endpoint.path}: the connection was closed")
        self._rest += received

    def _send(self, data: bytes) -> None:
        try:
            self._connection.settimeout(_DEADLINE_S)
            self._connection.sendall(data, _socket.MSG_NOSIGNAL)
        except OSError as error:
            raise BusFault(f"speak to {self.endpoint.path}: {error.strerror or error}") from error
