"""A process that makes the inodes while the one that reads the archive goes on.

Forked by `worker` once that is shut in, so it is what the worker is, bounds included. Orders, and
the contents that belong to them, travel in frames over a pipe, with which the maker ends. It holds
the worker's stdout: whoever waits for the end of that waits for both.
"""

from __future__ import annotations

import marshal
import os
import struct
from typing import Any

from stacker.base.writing import write_buffers
from stacker.drivers.images.directory import pipes
from stacker.drivers.images.directory.nursery import Nursery
from stacker.drivers.images.directory.outcome import hear, tell

_ORDERS_MAX = 1000
"""Of a frame: each may have a content, and writev(2) takes 1024 buffers."""
_FRAME = struct.Struct("<II")
"""How long the orders are, and their contents."""


class Maker:
    """As `Nursery`, in another process. `close` in any case."""

    def __init__(self, nursery: Nursery) -> None:
        orders, self._pipe = os.pipe()
        self._answer, answer = os.pipe()
        pipes.widen(self._pipe)
        self._orders: list[tuple[int, str, tuple[Any, ...], int]] = []
        self._contents: list[bytes | bytearray | memoryview] = []
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(self._pipe)
                os.close(self._answer)
                os.write(answer, tell(lambda: _serve(nursery, orders)))
            finally:
                # whatever it was: the rest of the program is the other process's
                os._exit(0)
        os.close(orders)
        os.close(answer)

    def order(
        self, number: int, verb: str, arguments: tuple[Any, ...], content: memoryview | None = None
    ) -> None:
        """Have one thing done, some time before `finish` returns."""
        length = -1 if content is None else len(content)
        self._orders.append((number, verb, arguments, length))
        if content:
            self._contents.append(content)
        if len(self._orders) == _ORDERS_MAX:
            self.flush()

    def flush(self) -> None:
        """Hand on all orders: contents are kept in memory until then."""
        if not self._orders:
            return
        orders = marshal.dumps(self._orders)
        head = _FRAME.pack(len(orders), sum(map(len, self._contents)))
        try:
            write_buffers(self._pipe, [head, orders, *self._contents])
        except BrokenPipeError:
            self._end()
            raise
        self._orders.clear()
        self._contents.clear()

    def finish(self) -> None:
        """All is done, or raises what the maker has run into."""
        self.flush()
        self._end()

    def close(self) -> None:
        """Nothing of it is left; may be called at any time, and twice."""
        if self._pid:
            self._reap()

    def _end(self) -> None:
        text, status = self._reap()
        hear(text, status, who="maker")

    def _reap(self) -> tuple[bytes, int]:
        """What it has said, and its exit status, once the pipe has ended."""
        os.close(self._pipe)
        text = b""
        while piece := os.read(self._answer, 4096):
            text += piece
        os.close(self._answer)
        pid, self._pid = self._pid, 0
        _, status = os.waitpid(pid, 0)
        return text, os.waitstatus_to_exitcode(status)


def _serve(nursery: Nursery, pipe: int) -> dict[str, object]:
    """What the maker does, until the pipe ends: within a frame, where its owner was killed."""
    buffer = memoryview(bytearray(pipes.SIZE))
    while True:
        head = buffer[: _FRAME.size]
        if not _fill(pipe, head):
            return {}
        orders_size, contents_size = _FRAME.unpack(head)
        size = orders_size + contents_size
        if size > len(buffer):
            buffer = memoryview(bytearray(size))
        if not _fill(pipe, buffer[:size]):
            return {}
        at = orders_size
        for number, verb, arguments, length in marshal.loads(buffer[:orders_size]):
            if length < 0:
                nursery.order(number, verb, arguments)
            else:
                nursery.order(number, verb, arguments, buffer[at : at + length])
                at += length


def _fill(pipe: int, buffer: memoryview) -> bool:
    """False when the pipe has ended before."""
    got = 0
    while got < len(buffer):
        read = os.readv(pipe, [buffer[got:]])
        if not read:
            return False
        got += read
    return True
