"""The journal of starts and ends: JSON lines, appended, in run/exits.

The supervisor reads the file itself, so that what it says survives both programs. A torn last
line (the writer was killed) is ended with a newline and skipped by readers.
"""

from __future__ import annotations

import errno
import json
import os
from typing import Any

_COMPACT_AT = 1024 * 1024


class Journal:
    def __init__(self, path: str) -> None:
        self._path = path
        self._unwritten: list[bytes] = []
        records = list(read(path))
        seqs = (r.get("seq", 0) for r in records)
        self.seq = max((seq for seq in seqs if isinstance(seq, int)), default=0)
        self._fd = self._open()
        self._compact_at = _COMPACT_AT
        os.write(self._fd, b"\n") if self._torn() else None

    def add(self, record: dict[str, Any]) -> None:
        """Append one record; when the disk is full it waits in memory for the next one."""
        self._unwritten.append(json.dumps(record).encode() + b"\n")
        try:
            while self._unwritten:
                self._append(self._unwritten[0])
                del self._unwritten[0]
        except OSError:
            # bounded: the end of a process also is pushed to clients, and its pidfd knows it
            del self._unwritten[:-1024]

    def _append(self, line: bytes) -> None:
        """All of it or nothing: a disk that is nearly full takes a part of a line."""
        written = os.write(self._fd, line)
        if written < len(line):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def compact(self, wanted: set[str]) -> None:
        """Once the file is large, keep what concerns the wanted keys alone."""
        if os.fstat(self._fd).st_size < self._compact_at:
            return
        kept = [r for r in read(self._path) if r.get("key") in wanted or "from" in r]
        try:
            with open(self._path + ".new", "wb") as new:
                new.writelines(json.dumps(r).encode() + b"\n" for r in kept)
            os.rename(self._path + ".new", self._path)
        except OSError:
            return
        os.close(self._fd)
        self._fd = self._open()
        self._compact_at = max(_COMPACT_AT, 2 * os.fstat(self._fd).st_size)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _torn(self) -> bool:
        with open(self._path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            return size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"


def read(path: str) -> list[dict[str, Any]]:
    """Return the records that are whole."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    records: list[dict[str, Any]] = []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)  # pyright: ignore[reportUnknownArgumentType]
    return records
