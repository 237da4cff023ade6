"""A range of user and group ids of the host that one container has for its own."""

from __future__ import annotations

from dataclasses import dataclass

from stacker.base.errors import Invalid

Mapping = tuple[int, int, int]
"""The first id inside, the first outside, and how many (user_namespaces(7))."""

LAST_ID = 2**32 - 2
"""What comes after it means "none" to system calls."""


@dataclass(frozen=True, slots=True, order=True)
class IdRange:
    """From ``first`` on ``size`` ids; inside they are called 0, 1, 2 …"""

    first: int
    size: int

    @property
    def end(self) -> int:
        """The first id behind it."""
        return self.first + self.size

    def overlaps(self, other: IdRange) -> bool:
        return self.first < other.end and other.first < self.end

    def outside(self, inside: int) -> int:
        """What an id of the inside is on the host."""
        if inside >= self.size:
            raise Invalid(f"id {inside} is not among the {self.size} of the container")
        return self.first + inside

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """Of the container: its ids, and no other of the host's."""
        return ((0, self.first, self.size),)

    @property
    def mappings_for_the_host(self) -> tuple[Mapping, ...]:
        """Of a mount that the host's root makes files in as well: who is not mapped cannot.

        overlayfs makes whiteouts as who has mounted it, and files as they before they get their
        owner. On the disk such a file belongs to the last id, which no container has.
        """
        return (*self.mappings, (LAST_ID, 0, 1))
