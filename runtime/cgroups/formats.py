"""How the kernel writes numbers into files of cgroups (cgroup-v2.rst, "Format"). Pure.

A line that is not of the format is passed over: statistics are told as far as they are readable.
"""

from __future__ import annotations

UNLIMITED = 2**64 - 1
"""What `max` is as a number, as runc tells it."""

# more than any kernel has of processors or memory nodes
_LARGEST_INDEX = 65535


def number(text: str) -> int:
    """A file of one value; empty is 0."""
    word = text.strip()
    if word == "max":
        return UNLIMITED
    return int(word) if _is_number(word.removeprefix("-")) else 0


def numbers(text: str) -> list[int]:
    """Values on one line."""
    return [int(word) for word in text.split() if _is_number(word)]


def keyed(text: str) -> dict[str, int]:
    """A key and a value on each line."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and (_is_number(words[1]) or words[1] == "max"):
            found[words[0]] = number(words[1])
    return found


def nested(text: str) -> dict[str, dict[str, int]]:
    """A key and pairs `name=value` on each line."""
    found: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        words = line.split()
        halves = (pair.partition("=") for pair in words[1:])
        if words:
            found[words[0]] = {name: number(value) for name, equals, value in halves if equals}
    return found


def ranges(text: str) -> list[int]:
    """`0-2,5` as [0, 1, 2, 5]."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        is_range = _is_number(first) and _is_number(last or first)
        if is_range and int(last or first) <= _LARGEST_INDEX:
            found.extend(range(int(first), int(last or first) + 1))
    return found


def pressure(text: str) -> dict[str, dict[str, float]]:
    """`some avg10=0.00 avg60=0.00 avg300=0.00 total=0` (accounting/psi.rst)."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        words = line.split()
        pairs = [pair.partition("=") for pair in words[1:]]
        if pairs:
            found[words[0]] = {name: _decimal(value) for name, _, value in pairs}
    return found


def _decimal(text: str) -> float:
    whole, dot, fraction = text.partition(".")
    if not _is_number(whole) or (dot and not _is_number(fraction)):
        return 0
    return float(text) if dot else int(text)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()
