"""Which pair of SELinux categories keeps a container from all others (MCS: `s0:c12,c345`).

A pair is chosen once, when a container is made, and kept in its record: its files carry it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from stacker.base.errors import Failed

CATEGORIES = 1024
"""c0 to c1023, as the policies of Fedora and RHEL define them."""
PAIRS = CATEGORIES * (CATEGORIES - 1) // 2


def choose_level(container_id: str, taken: Collection[str]) -> str:
    """Return a level that is not among ``taken``; the same one for the same arguments."""
    first = int.from_bytes(hashlib.sha256(container_id.encode()).digest()[:8], "big")
    for step in range(min(len(taken) + 1, PAIRS)):
        level = _level((first + step) % PAIRS)
        if level not in taken:
            return level
    raise Failed("every pair of SELinux categories is taken")


def _level(number: int) -> str:
    """Count all pairs low < high: (0,1), (0,2), (1,2), (0,3) …"""
    high = int((1 + (1 + 8 * number) ** 0.5) / 2)
    # the root is a float: one off at a boundary, at most
    while high * (high - 1) // 2 > number:
        high -= 1
    while high * (high + 1) // 2 <= number:
        high += 1
    return f"s0:c{number - high * (high - 1) // 2},c{high}"
