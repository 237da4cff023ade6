"""The messages of `messages.py` over one packet socket: a JSON object a packet."""

from __future__ import annotations

from runtime.errors import CommandNotRunnable, InitDied, LaunchFailed, RuntimeFault
from runtime.launch import messages
from runtime.linux.sockets import packet_pair
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from runtime.spec.model import Json


class Channel:
    """One end. `receive` handles warnings and faults itself and gives what was waited for."""

    __slots__ = ("_socket", "_warn")

    def __init__(self, end: _socket.socket, warn: Callable[[str], None]) -> None:
        self._socket = end
        self._warn = warn

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, kind: str, **values: object) -> None:
        self._socket.send(json.dumps({"kind": kind, **values}).encode("ascii"))

    def warn(self, text: str) -> None:
        self.send(messages.WARNING, text=text)

    def fault(self, error: BaseException) -> None:
        """Tell the parent why we give up; if it is dead there is nobody to tell."""
        exit_code = error.exit_code if isinstance(error, RuntimeFault) else 1
        text = str(error) if isinstance(error, RuntimeFault) else f"unexpected: {error!r}"
        # a packet too large would be refused whole
        try:
            self.send(messages.FAULT, text=text[: messages.LARGEST // 8], exit_code=exit_code)
        except OSError:
            return

    def receive(self, *kinds: str) -> Json:
        while True:
            packet = self._socket.recv(messages.LARGEST)
            if not packet:
                raise InitDied(f"the other process died before it said {' or '.join(kinds)}")
            message: Json = json.loads(packet)
            kind = message["kind"]
            if kind == messages.WARNING:
                self._warn(message["text"])
            elif kind == messages.FAULT:
                raise _failure(message["text"], message["exit_code"])
            elif kind in kinds:
                return message
            else:
                raise LaunchFailed(f"the other process said {kind} instead of {' or '.join(kinds)}")

    def receive_end(self) -> None:
        """Wait until the other side is gone, which is what an executed program looks like."""
        packet = self._socket.recv(messages.LARGEST)
        if packet:
            message: Json = json.loads(packet)
            raise _failure(message.get("text", "unknown"), message.get("exit_code", 1))


def channel_pair(warn: Callable[[str], None]) -> tuple[Channel, Channel]:
    parent, child = packet_pair()
    return Channel(parent, warn), Channel(child, _unheard)


def _unheard(text: str) -> None:
    """The child's end receives no warnings."""


def _failure(text: str, exit_code: int) -> RuntimeFault:
    return LaunchFailed(text) if exit_code == 1 else CommandNotRunnable(text, exit_code)
