"""Where bytes to be loaded come from: a file, or a stream of a client.

One thing is asked of either: pieces, in order, once.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

from stacker.base.errors import Invalid
from stacker.drivers.images.steps import on_disk
from stacker.drivers.images.workshop import Workshop
from stacker.oci.media_types import Compression

PIECE = 1024 * 1024

Source = Path | AsyncIterable[bytes]

MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
REFUSED_MAGIC = ((b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"))


def compression_of(start: bytes) -> Compression:
    """How a stream is packed, from its first bytes."""
    for magic, compression in MAGIC:
        if start.startswith(magic):
            return compression

    for magic, name in REFUSED_MAGIC:
        if start.startswith(magic):
            raise Invalid(f"it is packed with {name}; gzip, zstd and plain tar can be read")

    return "none"


async def pieces(workshop: Workshop, source: Source) -> AsyncIterator[bytes]:
    """The bytes of a source, in pieces of some size that are never empty."""
    if not isinstance(source, Path):
        async for piece in source:
            if piece:
                yield piece
        return

    with on_disk("open"):
        # a FIFO would block the thread for ever: it is the client that reads those
        fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            with on_disk("read"):
                piece = await workshop.in_thread(os.read, fd, PIECE)
            if not piece:
                return

            yield piece
    finally:
        os.close(fd)
