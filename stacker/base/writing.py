"""Writing all of what is to be written: write(2) may take less than it is given."""

from __future__ import annotations

import os
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


def write_all(fd: int, data: Buffer) -> None:
    """Hand everything to the kernel; raises OSError."""
    written = os.write(fd, data)
    if written < len(data):
        view = memoryview(data)[written:]
        while view:
            view = view[os.write(fd, view) :]


def write_buffers(fd: int, buffers: list[Buffer]) -> None:
    """As `write_all`, of at most 1024 buffers (IOV_MAX)."""
    while buffers:
        buffers = unwritten(buffers, os.writev(fd, buffers))


def unwritten(buffers: list[Buffer], written: int) -> list[Buffer]:
    """What a write of `written` bytes has left over."""
    for index, buffer in enumerate(buffers):
        if written < len(buffer):
            return [memoryview(buffer)[written:], *buffers[index + 1 :]]
        written -= len(buffer)
    return []
