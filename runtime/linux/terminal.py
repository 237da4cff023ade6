"""Pseudo terminals by file descriptor: the slave is asked of the master, never found by name."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Settings: TypeAlias = list[Any]

_TIOCSCTTY = 0x540E
_TIOCGWINSZ = 0x5413
_TIOCSWINSZ = 0x5414
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441  # Linux 4.13

_SIZE = struct.Struct("=HHHH")

# places in what tcgetattr gives
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6
_RAW_OFF = {
    _IFLAG: termios.IGNBRK
    | termios.BRKINT
    | termios.PARMRK
    | termios.ISTRIP
    | termios.INLCR
    | termios.IGNCR
    | termios.ICRNL
    | termios.IXON,
    _OFLAG: termios.OPOST,
    _CFLAG: termios.CSIZE | termios.PARENB,
    _LFLAG: termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN,
}


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


def make_raw(fd: int) -> Settings:
    """Every byte as it comes, none changed or acted on (cfmakeraw(3)); gives what was."""
    before = termios.tcgetattr(fd)
    after = termios.tcgetattr(fd)
    for index, bits in _RAW_OFF.items():
        after[index] &= ~bits
    after[_CFLAG] |= termios.CS8
    after[_CC][termios.VMIN] = 1
    after[_CC][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSADRAIN, after)
    return before


def restore(fd: int, settings: Settings) -> None:
    termios.tcsetattr(fd, termios.TCSADRAIN, settings)


def keep_newlines(fd: int) -> None:
    """Output as it was written: no carriage return before a newline."""
    settings = termios.tcgetattr(fd)
    settings[_OFLAG] &= ~termios.ONLCR
    termios.tcsetattr(fd, termios.TCSANOW, settings)
