"""Lists of CPUs and of memory nodes as the kernel writes them: 0-3,7 (cpuset(7), "List format")."""

from __future__ import annotations

from runtime.errors import SpecInvalid

_LONGEST = 65536


def parse_list(text: str, where: str, highest: int) -> tuple[int, ...]:
    """Ascending and without repetition; empty for an empty text."""
    if len(text) > _LONGEST:
        raise SpecInvalid(f"{where}: longer than {_LONGEST} characters")
    if not text.strip():
        return ()
    mask = 0
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low = _number(first, part, where, highest)
        high = _number(last, part, where, highest) if dash else low
        if high < low:
            raise SpecInvalid(f"{where}: {part.strip()} runs backwards")
        mask |= ((1 << (high - low + 1)) - 1) << low
    return tuple(number for number in range(mask.bit_length()) if mask >> number & 1)


def _number(word: str, part: str, where: str, highest: int) -> int:
    # int() would take " 1", "+1", "1_0" and digits of other scripts
    if not (word.isascii() and word.isdigit()) or len(word) > 9 or int(word) > highest:
        raise SpecInvalid(f"{where}: {part!r} is not a number up to {highest}, or two with a dash")
    return int(word)
