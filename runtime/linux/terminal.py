"""Pseudo terminals by file descriptor: the slave is asked of the master, never found by name."""

from __future__ import annotations

import fcntl
import os
import struct

_TIOCSCTTY = 0x540E
_TIOCGWINSZ = 0x5413
_TIOCSWINSZ = 0x5414
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441  # Linux 4.13

_SIZE = struct.Struct("=HHHH")


def open_slave(master: int) -> int:
    """Unlock and open the other end (CVE-2025-52565: /dev/pts/N may be anything by now)."""
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("=i", 0))
    return fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, _TIOCSWINSZ, _SIZE.pack(rows, columns, 0, 0))


def size(terminal: int) -> tuple[int, int]:
    rows, columns, _, _ = _SIZE.unpack(fcntl.ioctl(terminal, _TIOCGWINSZ, b"\0" * _SIZE.size))
    return rows, columns


def make_controlling(terminal: int) -> None:
    """The calling process must lead a session that has no terminal yet."""
    fcntl.ioctl(terminal, _TIOCSCTTY, 0)
