"""Settings of a terminal that we are in front of (termios(3)); only `run` and `exec` need them."""

from __future__ import annotations

import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Settings: TypeAlias = list[Any]

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
