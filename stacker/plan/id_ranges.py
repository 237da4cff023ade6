"""Which range of user and group ids a container gets that is to have one of its own.

A range is chosen once, when a container is made, and kept in its record. Files carry the ids of
the inside on the disk, so that nothing but the processes of a container has ids of its range.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from stacker.base.errors import Failed
from stacker.base.id_range import IdRange


def choose_range(
    container_id: str, size: int, *, within: Sequence[IdRange], taken: Collection[IdRange]
) -> IdRange:
    """Return a range that overlaps with none of ``taken``; the same for the same arguments.

    The search begins at a place that the id tells, so that supervisors that do not know of each
    other, or start at the same moment, rarely look at the same range.
    """
    slots = [room.size // size for room in within]
    count = sum(slots)
    first = int.from_bytes(hashlib.sha256(container_id.encode()).digest()[:8], "big")
    for step in range(count):
        candidate = _slot((first + step) % count, size, within, slots)
        if not any(candidate.overlaps(other) for other in taken):
            return candidate
    raise Failed(f"userns_mode: no {size} user and group ids are free for a container")


def _slot(number: int, size: int, within: Sequence[IdRange], slots: Sequence[int]) -> IdRange:
    for room, count in zip(within, slots, strict=True):
        if number < count:
            return IdRange(room.first + number * size, size)
        number -= count
    raise IndexError(number)
