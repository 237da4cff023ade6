"""What is sent with a request: so many bytes, made anew each time that they are sent.

A request may have to be sent again, after a redirect or with other credentials, so a body is a
recipe and not a stream. A server that takes nothing for too long is given up.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import anyio
from anyio import CancelScope

from stacker.base.errors import StackerError

PIECE = 64 * 1024
"""Sent at once: a server that takes less than this within `answer_s` does not keep up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    size: int
    media_type: str
    open: Callable[[], AsyncIterator[bytes]] = field(repr=False)
    """The bytes from the first one on, in pieces of any size."""

    @classmethod
    def of(cls, data: bytes, *, media_type: str) -> Body:
        """A body that is at hand."""

        async def pieces() -> AsyncIterator[bytes]:
            yield data

        return cls(size=len(data), media_type=media_type, open=pieces)


class Sending:
    """One sending of a body; `scope` is cancelled when the other side takes nothing any more."""

    def __init__(self, body: Body, *, stall_s: float) -> None:
        self.scope = CancelScope()
        self.error: StackerError | None = None
        """Why the bytes could not be had, where that was it."""
        self._body = body
        self._stall_s = stall_s

    async def pieces(self) -> AsyncIterator[bytes]:
        """For the HTTP library, which pulls a piece when it has got rid of the one before."""
        try:
            async for piece in self._body.open():
                for start in range(0, len(piece), PIECE):
                    # what counts is the time of the taker, not that of whoever makes the bytes
                    self.scope.deadline = anyio.current_time() + self._stall_s
                    yield piece[start : start + PIECE]
                    self.scope.deadline = math.inf
        except StackerError as error:
            self.error = error
            raise
