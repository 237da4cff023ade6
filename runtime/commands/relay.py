"""Our own standard streams connected to the container's terminal, for `run` and `exec` in front.

Our terminal is raw meanwhile, so that every key, Ctrl-C too, reaches the one inside; its size is
handed on whenever it changes. Nothing that passes is interpreted.
"""

from __future__ import annotations

import os
import select

from runtime.linux import raw_terminal, terminal
from runtime.linux.signals import signal
from runtime.linux.sockets import receive_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from types import FrameType

_INPUT, _OUTPUT = 0, 1
_PIECE = 4096  # a pipe that poll(2) calls writable takes as much without blocking


def receive_relay(console: _socket.socket, sent: _socket.socket) -> Relay | None:
    """None when no terminal was sent over `sent` by now: the process has none. Closes both."""
    console.setblocking(False)
    try:
        return Relay(receive_fd(console))
    except BlockingIOError:
        return None
    finally:
        # not before: with nobody to send, nothing is an end
        sent.close()
        console.close()


class Relay:
    """The other terminal is as large as ours; `begin` makes ours raw, `end` gives it back."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._screen = _find_screen()
        self._saved: raw_terminal.Settings | None = None
        self._typed = b""
        self._said = b""
        self._input_open = True
        self._output_open = True
        self.hung_up = False
        """Nobody inside has the terminal open now; somebody may open it again."""
        os.set_blocking(master, False)
        if self._screen < 0:
            # who reads a pipe wants the lines as the program wrote them, as runc gives them
            raw_terminal.keep_newlines(master)
        else:
            self._resize(0, None)
            signal.signal(signal.SIGWINCH, self._resize)

    def begin(self) -> None:
        """Only with the handlers in place that let us end in order."""
        if os.isatty(_INPUT):
            self._saved = raw_terminal.make_raw(_INPUT)

    def wanted(self) -> dict[int, int]:
        """{fd: poll events}"""
        master = 0 if self._said or self.hung_up else select.POLLIN
        master |= select.POLLOUT if self._typed and not self.hung_up else 0
        wanted = {self._master: master} if master else {}
        if self._input_open and not self._typed:
            wanted[_INPUT] = select.POLLIN
        if self._said:
            wanted[_OUTPUT] = select.POLLOUT
        return wanted

    def carry(self) -> None:
        """As much as can be read and written now."""
        ready = _ready(self.wanted())
        self.hung_up = False
        if _INPUT in ready:
            self._typed = self._read_input()
        if self._master in ready:
            self._carry_master(ready[self._master])
        if _OUTPUT in ready:
            self._write_output()

    def finish(self) -> None:
        """What the program wrote last is still in the terminal; then `end`."""
        try:
            while True:
                while self._said:
                    self._write_output()
                self._said = os.read(self._master, _PIECE)
                if not self._said:
                    return
        except OSError:
            # EIO: all read, and nobody inside has it open; EAGAIN: somebody has
            return
        finally:
            self.end()

    def end(self) -> None:
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        if self._saved is not None:
            raw_terminal.restore(_INPUT, self._saved)
            self._saved = None
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _resize(self, _: int, __: FrameType | None) -> None:
        try:
            terminal.set_size(self._master, *terminal.size(self._screen))
        except OSError:
            # one of the two has gone: nothing to be as large as
            return

    def _read_input(self) -> bytes:
        try:
            typed = os.read(_INPUT, _PIECE)
        except OSError:
            typed = b""
        self._input_open = bool(typed)
        return typed

    def _carry_master(self, events: int) -> None:
        try:
            if events & select.POLLOUT:
                self._typed = self._typed[os.write(self._master, self._typed) :]
            if events & (select.POLLIN | select.POLLHUP):
                self._said += os.read(self._master, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            self.hung_up = True

    def _write_output(self) -> None:
        try:
            written = os.write(_OUTPUT, self._said) if self._output_open else len(self._said)
        except OSError:
            # whoever read has gone; the program is not to block on it
            self._output_open = False
            written = len(self._said)
        self._said = self._said[written:]


def screen_size() -> tuple[int, int] | None:
    """Rows and columns of the terminal we are in front of."""
    screen = _find_screen()
    return terminal.size(screen) if screen >= 0 else None


def _find_screen() -> int:
    """Any of the streams may be redirected."""
    return next((fd for fd in (0, 1, 2) if os.isatty(fd)), -1)


def _ready(wanted: dict[int, int]) -> dict[int, int]:
    poll = select.poll()
    for fd, events in wanted.items():
        poll.register(fd, events)
    return dict(poll.poll(0))
