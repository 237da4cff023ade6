"""What the driver asks of whoever keeps file descriptors over a restart of the supervisor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class KeepFds(Protocol):
    """The monitor's fd store; names are ours, one name holds an ordered list."""

    async def keep(self, name: str, fds: Sequence[int]) -> None:
        """Hold duplicates of these in place of what the name held; the caller may close its own."""
        ...

    async def fetch(self, name: str) -> list[int]:
        """Return duplicates that now belong to the caller; empty when nothing is held."""
        ...

    async def names(self) -> list[str]:
        """Return every name that holds something, others' names too."""
        ...

    async def drop(self, name: str) -> None:
        """Close what the name holds; nothing happens when it holds nothing."""
        ...
