"""A strict, forward-only tar reader: bytes in, entries and content out.

Reads what layers are made of: v7, ustar, GNU and pax headers, sparse files in all four encodings.
Nothing here opens a file, resolves a path or trusts a length: names are bytes as they stand in the
archive, every count is bounded, and whatever is wrong ends in `stacker.base.errors.Corrupt`.
"""

from __future__ import annotations

from stacker.oci.tar.entry import Entry, Event, Hole, Kind, Limits
from stacker.oci.tar.reader import TarReader

__all__ = ["Entry", "Event", "Hole", "Kind", "Limits", "TarReader"]
