"""Texts with tones → strips of exactly a width. Foreign text is never read as markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

TONES = frozenset({"tone--good", "tone--warn", "tone--bad", "tone--calm", "tone--faint"})
"""Component classes of every widget that paints: ``Cell.tone``, ``LogLine.tone`` name them."""


def crop(text: str, width: int, *, right: bool = False) -> str:
    """Make a text exactly so wide; what was cut is told by ``…``."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    return " " * (width - length) + text if right else text + " " * (width - length)


def strip(parts: Iterable[tuple[str, Style]], width: int, base: Style) -> Strip:
    """Put styled texts one after the other and fill up with the base style."""
    segments = [Segment(text, base + style) for text, style in parts]
    return Strip(segments).adjust_cell_length(width, base)
