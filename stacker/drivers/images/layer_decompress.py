"""Decompressors: compressed bytes in, bounded pieces of plain bytes out.

Called by `layers` in a worker thread. A piece is at most `PIECE` bytes whatever the ratio, so that
a bomb costs time up to the caller's limit and never memory; the libraries let go of the GIL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Literal, Protocol, cast

import zstandard
from isal import igzip_lib

from stacker.base.errors import Corrupt

Compression = Literal["gzip", "zstd", "none"]

PIECE = 1 << 20
_ZSTD_WINDOW_MAX = 1 << 27
"""What the zstd command decodes without being asked (RFC 8878 3.1.1.1.2 leaves it to us)."""
_GZIP_ERRORS = (cast("type[Exception]", igzip_lib.IsalError), EOFError, ValueError)
_GZIP_MAGIC = b"\x1f\x8b"


Consumer = Callable[[bytes], object]


class Decompressor(Protocol):
    """Made with the consumer of its pieces."""

    def feed(self, data: bytes) -> None:
        """Hands on what `data` completes; Corrupt when it is not of the format."""
        ...

    def finish(self) -> None:
        """The stream has ended; Corrupt when it was cut short."""
        ...


class Gzip:
    """RFC 1952: any number of members, zero padding behind the last (as gzip(1) allows)."""

    def __init__(self, consume: Consumer) -> None:
        self._consume = consume
        self._member: igzip_lib.IgzipDecompressor | None = None
        self._magic = b""
        """The first bytes of what may become a member, while they are too few to tell."""
        self._members = 0
        self._padding = False

    def feed(self, data: bytes) -> None:
        while data:
            member = self._member
            data = self._inflate(member, data) if member else self._begin(data)

    def finish(self) -> None:
        if self._member is not None or self._magic or not self._members:
            raise Corrupt("gzip: the stream is cut short")

    def _begin(self, data: bytes) -> bytes:
        """Looks at what stands where a member may begin; returns it, once one does."""
        data, self._magic = self._magic + data, b""
        if self._members and not data.strip(b"\0"):
            self._padding = True
            return b""
        if data == _GZIP_MAGIC[:1]:
            self._magic = data
            return b""
        if self._padding or not data.startswith(_GZIP_MAGIC):
            raise Corrupt("gzip: not a gzip stream")
        self._members += 1
        self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        return data

    def _inflate(self, member: igzip_lib.IgzipDecompressor, data: bytes) -> bytes:
        """Takes all of `data` that is the member's; returns what lies behind it."""
        while True:
            try:
                piece = member.decompress(data, PIECE)  # pyright: ignore[reportUnknownMemberType]
            except _GZIP_ERRORS as error:
                raise Corrupt(f"gzip: {error}") from error
            data = b""
            if piece:
                self._consume(piece)
            if member.eof:
                self._member = None
                return member.unused_data
            if member.needs_input:
                return b""


class Zstd:
    """RFC 8878; several frames in a row are one stream.

    The library does not say whether the last frame was whole: a stream that is cut short shows in
    its digests, and in the archive's end.
    """

    def __init__(self, consume: Consumer) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_MAX)
        self._consume = consume
        self._output = _Output()
        self._writer = decompressor.stream_writer(cast("BinaryIO", self._output), PIECE)
        self._any = False

    def feed(self, data: bytes) -> None:
        self._any = True
        # no longer than it takes: the garbage collector sees no circle that leads through the
        # library's objects, and whoever consumes would never be freed
        self._output.consume = self._consume
        try:
            self._writer.write(data)
        except zstandard.ZstdError as error:
            raise Corrupt(f"zstd: {error}") from error
        finally:
            self._output.consume = None

    def finish(self) -> None:
        if not self._any:
            raise Corrupt("zstd: the stream is empty")


class _Output:
    """What the zstd library writes to: it knows files only."""

    consume: Consumer | None = None

    def write(self, piece: bytes) -> int:
        assert self.consume is not None, "only while it is fed"
        self.consume(piece)
        return len(piece)


class Plain:
    """No compression."""

    def __init__(self, consume: Consumer) -> None:
        self._consume = consume

    def feed(self, data: bytes) -> None:
        self._consume(data)

    def finish(self) -> None:
        """A plain stream cannot tell its end; the archive can."""


DECOMPRESSORS: dict[Compression, Callable[[Consumer], Decompressor]] = {
    "gzip": Gzip,
    "zstd": Zstd,
    "none": Plain,
}
