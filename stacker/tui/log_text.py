"""Bytes of a log → lines for a screen. Pure.

What would act on a terminal is spelled out, but for what only colours text: that is left away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len, chop_cells

from runtime.wire.frames import NOTE
from stacker.base.text import clean

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
LONGEST = 10_000
"""Characters of a line that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line, harmless."""

    time_ns: int
    text: str
    source: str = ""
    """Who wrote it, where several write."""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """As much of a line as fits on a row of the screen."""

    text: str
    faint: int
    """How many of its first characters say when and who."""
    tone: str = ""


def lines(
    time_ns: int, stream: int, content: bytes, *, source: str = "", most: int
) -> Iterator[LogLine]:
    """Take the last lines of some whole ones."""
    for raw in content[:-1].rsplit(b"\n", most)[-most:]:
        text = raw[: LONGEST * 4].decode(errors="replace").rstrip("\r")
        if "\x1b" in text:
            text = _COLOURS.sub("", text)
        shown = clean(text.expandtabs(8))[:LONGEST]
        tone = "warn" if stream == NOTE else ""
        yield LogLine(time_ns=time_ns, text=shown, source=source, tone=tone)


def matches(line: LogLine, words: Iterable[str]) -> bool:
    """Say whether a line holds each of these words, which are in lower case."""
    text = f"{line.source} {line.text}".lower()
    return all(word in text for word in words)


def fold(line: LogLine, width: int, *, stamps: bool, wrap: bool, pad: int = 0) -> list[Piece]:
    """Cut a line into rows of the screen; without ``wrap`` what does not fit is left away."""
    head = f"{stamp(line.time_ns)} " if stamps else ""
    head += f"{line.source.ljust(pad)} │ " if line.source else ""
    text = head + line.text
    if text.isascii() or cell_len(text) == len(text):
        parts = [text[at : at + width] for at in range(0, len(text), width)] or [""]
    else:
        parts = chop_cells(text, width) or [""]
    faint = len(head)
    pieces: list[Piece] = []
    for part in parts if wrap else parts[:1]:
        pieces.append(Piece(text=part, faint=min(faint, len(part)), tone=line.tone))
        faint = max(0, faint - len(part))
    return pieces


def stamp(time_ns: int) -> str:
    """Say when, by the clock on the user's wall."""
    return datetime.fromtimestamp(time_ns / 1e9).strftime("%H:%M:%S")


def places(text: str, words: Iterable[str]) -> list[tuple[int, int]]:
    """Find where words stand in a text, from left to right and never one in another."""
    low = text.lower()
    if len(low) != len(text):  # a letter whose lower case is two: places would be off
        return []
    found = sorted(
        (at.start(), at.end()) for word in words for at in re.finditer(re.escape(word), low)
    )
    apart: list[tuple[int, int]] = []
    for start, end in found:
        if not apart or start >= apart[-1][1]:
            apart.append((start, end))
    return apart
