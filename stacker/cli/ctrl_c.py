"""Ctrl-C that is not missed by a command which waits.

Python only notes a signal and raises between two instructions of the main thread. One that comes
behind the last of them and before the read that they led to is seen when the read ends: for a log
without new lines, never. A thread therefore interrupts the main thread until it has raised.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

POKE = signal.SIGURG  # has no other use here, and no effect where nobody handles it
AGAIN_AFTER_S = 0.05
TIMES = 20


@contextmanager
def heeded() -> Generator[None]:
    """Raise KeyboardInterrupt in the main thread, at once, for every Ctrl-C inside."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # it is ignored, as for what a script has put into the background
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)
    raised: list[None] = []  # no lock: a second Ctrl-C interrupts the handler of the first

    def interrupt(number: int, frame: FrameType | None) -> None:
        raised.append(None)
        signal.default_int_handler(number, frame)

    before = signal.signal(POKE, lambda number, frame: None)
    signal.signal(signal.SIGINT, interrupt)
    # written by Python's handler in C, whatever the main thread is in
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_insist, args=(heard, raised), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(POKE, before)
        os.close(told)


def _insist(heard: int, raised: list[None]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    while numbers := os.read(heard, 64):
        if signal.SIGINT not in numbers:
            continue
        for _ in range(TIMES):  # two that come at once are raised as one
            time.sleep(AGAIN_AFTER_S)
            if raised:
                break
            signal.pthread_kill(main, POKE)
        raised.clear()
    os.close(heard)
