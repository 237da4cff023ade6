"""The only writer of stderr: errors, warnings, notes, and the progress of what is under way.

On a terminal the running steps and the bars of pulls are a block that is redrawn below what is
done; elsewhere each thing is one plain line. ``NO_COLOR`` is honoured (no-color.org).
"""

from __future__ import annotations

import os
import sys

from stacker.base.text import clean

RED, GREEN, YELLOW, DIM = "31", "32", "33", "2"


def is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str) -> str:
    """Colour a text where stderr shows colours."""
    if not is_terminal() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def error(message: str) -> None:
    """Say why the command failed; continuation lines are indented."""
    first, *rest = message.split("\n")
    _write(paint("stacker: ", RED) + clean(first))
    for line in rest:
        _write("  " + clean(line))


def warning(message: str) -> None:
    _write(paint("warning: ", YELLOW) + clean(message))


def note(message: str) -> None:
    _write(clean(message))


def drawn(line: str) -> None:
    """Print one line whose colours are ours and whose foreign parts are clean."""
    _write(line)


class Block:
    """Lines at the bottom of the screen that are replaced again and again."""

    def __init__(self) -> None:
        self._height = 0

    def show(self, lines: list[str]) -> None:
        """Replace the block; lines that are too wide or too many are cut."""
        columns, rows = os.get_terminal_size(sys.stderr.fileno())
        shown = [line[: columns - 1] for line in lines[: max(1, rows - 2)]]
        sys.stderr.write(self._rewind() + "".join(f"{line}\x1b[K\n" for line in shown))
        sys.stderr.flush()
        self._height = len(shown)

    def clear(self) -> None:
        sys.stderr.write(self._rewind())
        sys.stderr.flush()
        self._height = 0

    def _rewind(self) -> str:
        return f"\x1b[{self._height}A\x1b[J" if self._height else ""


def _write(line: str) -> None:
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except OSError:
        return  # stderr is closed or full: nobody is left to be told
