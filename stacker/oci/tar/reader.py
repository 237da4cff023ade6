"""The reader itself: a state machine that is fed bytes and returns events.

Where readers differ, an archive can show one tree to a scanner and another to an engine; so
wherever the formats leave a choice, the reader does what Go's archive/tar does, which docker,
containerd and umoci share: only regular files have content, whatever the size field says; global
pax headers are skipped; a name that ends with a slash is a directory only in type NUL; two zero
blocks, or the end of the stream where a header could start, end the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stacker.base.errors import Corrupt
from stacker.oci.tar import sparse
from stacker.oci.tar.entry import Event, Hole, Limits
from stacker.oci.tar.header import NOTHING, Extensions, Stored, checksum_holds, decode
from stacker.oci.tar.numbers import unsigned
from stacker.oci.tar.pax import Pax, parse

BLOCK = 512
_ZERO = bytes(BLOCK)
_EXTENSIONS = frozenset((b"x", b"X", b"g", b"L", b"K"))
_NO_EXTENSIONS = Extensions()


class TarReader:
    """Feed it the stream in pieces of any size, then `finish`. After Corrupt it is of no use."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._events: list[Event] = []
        self._on_block: Callable[[bytes], None] = self._header
        self._block = b""  # the start of a 512-byte block whose rest has not come yet
        self._content = 0  # stored bytes of the current run still to come
        self._skip = 0  # padding, and payloads nobody wants
        self._payload = bytearray()
        self._payload_left = 0
        self._payload_type = b""
        self._extensions = _NO_EXTENSIONS
        self._stored = NOTHING
        self._parts: sparse.Map = []
        self._real_size = 0
        self._leading: sparse.LeadingMap | None = None
        self._map_left = 0
        self._runs: Iterator[tuple[int, int]] | None = None
        self._began = False
        self._zero_block = False
        self._ended = False
        self.entries = 0
        """How many entries have been read."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete; the memoryviews in it are views of `data`."""
        events = self._events = []
        view = memoryview(data)
        position, end = 0, len(data)
        while position < end and not self._ended:
            if self._content:
                taken = min(self._content, end - position)
                self._content -= taken
                events.append(view[position : position + taken])
                if not self._content and self._runs:
                    self._next_run()
            elif self._payload_left:
                taken = min(self._payload_left, end - position)
                self._payload_left -= taken
                self._payload += view[position : position + taken]
                if not self._payload_left:
                    self._extension()
            elif self._skip:
                taken = min(self._skip, end - position)
                self._skip -= taken
            else:
                taken = min(BLOCK - len(self._block), end - position)
                block = data[position : position + taken]
                if taken < BLOCK:
                    block = self._block + block
                if len(block) == BLOCK:
                    self._block = b""
                    self._on_block(block)
                else:
                    self._block = block
            position += taken
        return events

    def finish(self) -> None:
        """Says that the stream has ended; raises when it ended in the middle of something."""
        # padding after the last file may be missing: many writers are careless there
        inside = self._block or self._content or self._payload_left or self._extensions.count
        if not self._ended and (inside or self._on_block != self._header):
            raise Corrupt("tar: the archive is cut short")

    # -- headers -----------------------------------------------------------------------------

    def _header(self, block: bytes) -> None:
        if block == _ZERO:
            if self._extensions.count:
                raise Corrupt("tar: the archive ends after an extension header")
            self._ended = self._zero_block
            self._zero_block = True
            return
        if self._zero_block:
            raise Corrupt("tar: a header follows an end marker")
        if not checksum_holds(block):
            if not self._began:
                raise Corrupt("this is not a tar archive")
            raise Corrupt("tar: a header's checksum does not match")
        self._began = True
        flag = block[156:157]
        if flag in _EXTENSIONS:
            self._extension_header(block, flag)
            return
        self.entries += 1
        if self.entries > self._limits.entries:
            raise Corrupt(f"tar: more than {self._limits.entries} entries")
        entry, stored = decode(block, self._extensions, self._limits)
        self._extensions = _NO_EXTENSIONS
        self._events.append(entry)
        if stored.parts is None:
            self._content = stored.size
            self._skip = -stored.size % BLOCK
        else:
            self._sparse(entry.size, stored)

    def _extension_header(self, block: bytes, flag: bytes) -> None:
        size = unsigned(block[124:136], self._limits.pax, "extension size")
        self._skip = -size % BLOCK
        if flag == b"g":
            self._skip += size
            return
        if not self._extensions.count:
            self._extensions = Extensions()
        self._extensions.count += 1
        if self._extensions.count > self._limits.extensions:
            raise Corrupt("tar: too many extension headers in front of one entry")
        self._payload_type = flag
        self._payload_left = size
        if not size:
            self._extension()

    def _extension(self) -> None:
        payload = bytes(self._payload)
        self._payload.clear()
        found = self._extensions
        if self._payload_type in b"xX":
            found.pax = found.pax or Pax()
            parse(payload, found.pax)
        elif self._payload_type == b"L":
            found.name = payload.split(b"\0", 1)[0]
        else:
            found.target = payload.split(b"\0", 1)[0]

    # -- sparse files --------------------------------------------------------------------------

    def _sparse(self, real_size: int, stored: Stored) -> None:
        self._stored, self._real_size = stored, real_size
        self._parts = stored.parts or []
        if stored.leading:
            self._leading = sparse.LeadingMap(self._limits.sparse_parts)
            self._map_left = stored.size
            self._on_block = self._leading_map
        elif stored.more:
            self._on_block = self._more_map
        else:
            self._begin_runs(stored.size)

    def _more_map(self, block: bytes) -> None:
        self._parts += sparse.old_gnu(block, 0, sparse.OLD_IN_EXTENSION)
        if len(self._parts) > self._limits.sparse_parts:
            raise Corrupt("sparse map: too many parts")
        if not block[504]:
            self._begin_runs(self._stored.size)

    def _leading_map(self, block: bytes) -> None:
        self._map_left -= BLOCK
        if self._map_left < 0 or self._leading is None:
            raise Corrupt("sparse map: longer than what is stored")
        parts = self._leading.feed(block)
        if parts is not None:
            self._leading = None
            self._parts = parts
            self._begin_runs(self._map_left)

    def _begin_runs(self, stored: int) -> None:
        self._on_block = self._header
        self._skip = -stored % BLOCK
        parts = sparse.checked(self._parts, self._real_size, stored, self._limits.sparse_parts)
        self._parts = []
        self._runs = sparse.segments(parts, self._real_size)
        self._next_run()

    def _next_run(self) -> None:
        """The hole in front of the next stored run, and the run's length."""
        assert self._runs is not None
        hole, self._content = next(self._runs)
        if hole:
            self._events.append(Hole(hole))
        if not self._content:
            self._runs = None
