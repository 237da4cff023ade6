"""The conversation of ``exec``: our stdin to the process, its output to us, window sizes too.

Two threads, each blocking on one thing: stdin is read beside, the connection here. Output bytes
of a terminal session belong to the process: they go to the screen as they are.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
import tty as terminals
from contextlib import contextmanager

from stacker.base.errors import Unavailable
from stacker.base.writing import write_all
from stacker.wire.execution import EXIT, STDERR, STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from stacker.client.streams import ExecStream


def converse(stream: ExecStream, *, tty: bool) -> int | None:
    """Pump until the process has ended; return its code, None when the connection broke."""
    out = {STDOUT: sys.stdout.fileno(), STDERR: sys.stderr.fileno()}
    with _raw_terminal(tty), _resizing(stream, tty):
        threading.Thread(target=_send_stdin, args=(stream,), daemon=True).start()
        try:
            for kind, payload in stream.frames():
                if kind in out:
                    write_all(out[kind], payload)
                elif kind == EXIT:
                    return int.from_bytes(payload, "big")
        finally:
            stream.close()
    return None


def _send_stdin(stream: ExecStream) -> None:
    stdin = sys.stdin.fileno()
    try:
        while content := os.read(stdin, 65536):
            stream.send(content)
        stream.send(b"")
    except (OSError, Unavailable):
        return  # the process has ended first, or there is no stdin


@contextmanager
def _raw_terminal(tty: bool) -> Generator[None]:
    """Let every key through to the process; put the terminal back whatever happens."""
    if not tty:
        yield
        return
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    terminals.setraw(stdin)
    try:
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


@contextmanager
def _resizing(stream: ExecStream, tty: bool) -> Generator[None]:
    if not tty:
        yield
        return

    def tell(*_: object) -> None:
        size = os.get_terminal_size(sys.stdout.fileno())
        try:
            stream.resize(size.lines, size.columns)
        except Unavailable:
            return  # the reading side says so

    before = signal.signal(signal.SIGWINCH, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
