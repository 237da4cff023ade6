"""A Ctrl-C that interrupts no system call of the main thread is heeded all the same."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from stacker.cli.ctrl_c import POKE, heeded


def _interrupt_another_thread() -> None:
    """Leave the main thread in its read, as when the signal comes just before it."""
    state = Path(f"/proc/self/task/{os.getpid()}/stat")
    while state.read_text().rpartition(") ")[2][0] != "S":
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def _start_and_read(thread: threading.Thread, reader: int) -> None:
    thread.start()
    os.read(reader, 1)


def test_it_is_raised_out_of_a_read_that_it_did_not_interrupt() -> None:
    reader, writer = os.pipe()
    try:
        for _ in range(3):
            with heeded():
                thread = threading.Thread(target=_interrupt_another_thread)
                with pytest.raises(KeyboardInterrupt):
                    _start_and_read(thread, reader)
                thread.join()
    finally:
        os.close(reader)
        os.close(writer)


def test_all_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(POKE)
    with heeded():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(POKE)) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_an_ignored_one_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heeded():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
