"""Foreign text made harmless, and numbers made readable. Pure.

Names, messages and logs come from images and containers. A control character in them could move
the cursor, set the window's title, or make one line look like another (kubectl CVE-2021-25743).
"""

from __future__ import annotations

_HIDDEN = frozenset(
    (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x061C,  # bidirectional marks, embeddings, overrides and isolates: they reorder a line
        *range(0x200E, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
    )
)


class _Escapes(dict[int, str]):
    """What ``str.translate`` puts for a character; filled as they are met."""

    def __missing__(self, code: int) -> str:
        if code not in _HIDDEN:
            text = chr(code)
        else:
            text = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
        self[code] = text
        return text


_ESCAPES = _Escapes()


def clean(text: str) -> str:
    """Spell out what would act on a terminal instead of showing on it."""
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPES)


def size(count: float | None) -> str:
    """Write bytes in binary units: ``12.5MiB``."""
    if count is None:
        return "-"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f}{unit}" if unit == "B" else f"{count:.4g}{unit}"
        count /= 1024
    return f"{count:.4g}TiB"


def span(seconds: float) -> str:
    """Write a time span by its largest unit: ``3 minutes``."""
    if seconds < 1:
        return "less than a second"
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count = int(seconds // length)
        if count:
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "0 seconds"
