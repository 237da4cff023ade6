"""The only writer of stdout: tables, JSON, lines, bytes. stdout is data.

What is printed as text is cleaned of control characters; JSON escapes them itself.
"""

from __future__ import annotations

import sys

from stacker.base.text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def lines(texts: Iterable[str]) -> None:
    """Print foreign text, line by line."""
    sys.stdout.write("".join(f"{clean(text)}\n" for text in texts))


def document(text: str) -> None:
    """Print a text that stacker composed, with its line ends."""
    lines(text.rstrip("\n").split("\n"))


def json_document(value: object) -> None:
    """Print one JSON value for ``--format json``."""
    import json

    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def json_line(value: object) -> None:
    """Print one line of a JSON stream, at once."""
    import json

    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, each as wide as its widest cell."""
    cells = [tuple(headers), *(tuple(map(clean, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("   ".join(padded).rstrip() + "\n")


def raw(content: bytes) -> None:
    """Write bytes as they are."""
    sys.stdout.buffer.write(content)


def flush() -> None:
    sys.stdout.flush()


def is_terminal() -> bool:
    return sys.stdout.isatty()


def clear_screen() -> None:
    """Begin a screen anew, for ``stats``."""
    sys.stdout.write("\x1b[H\x1b[2J")
