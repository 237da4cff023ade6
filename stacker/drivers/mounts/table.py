"""The mount table, read from /proc/self/mountinfo (proc_pid_mountinfo(5)).

Called by `mounts`. Paths are bytes turned into str the way os.fsdecode does, so that what comes
from the table compares equal with what was mounted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ESCAPE = re.compile(rb"\\([0-7]{3})")
_LOWER = ("lowerdir+=", "lowerdir=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """One line."""

    target: Path
    filesystem: str
    source: str
    options: tuple[str, ...]
    """Of the superblock: for an overlay its directories, in the order of the mount."""
    private: bool

    @property
    def lowers(self) -> tuple[str, ...]:
        """Of an overlay: its lower directories, highest first."""
        found: list[str] = []
        for option in self.options:
            for prefix in _LOWER:
                if option.startswith(prefix):
                    value = option.removeprefix(prefix)
                    found += value.split(":") if prefix == "lowerdir=" else [value]
                    break
        return tuple(found)

    def option(self, name: str) -> str | None:
        """The value of ``name=value``."""
        for option in self.options:
            key, _, value = option.partition("=")
            if key == name:
                return value
        return None


def read_table(below: Path) -> list[Mounted]:
    """The mounts at and below a directory, in the order in which they were made."""
    with open("/proc/self/mountinfo", "rb") as file:
        lines = file.read().splitlines()
    return list(parse(lines, below))


def parse(lines: list[bytes], below: Path) -> Iterator[Mounted]:
    """The lines whose mount point is `below` or lies under it."""
    wanted = os.fsencode(below)
    inside = wanted.rstrip(b"/") + b"/"
    for line in lines:
        left, _, right = line.partition(b" - ")
        fields = left.split(b" ")
        target = _plain(fields[4])
        if target != wanted and not target.startswith(inside):
            continue
        filesystem, source, options = right.split(b" ")[:3]
        yield Mounted(
            target=Path(os.fsdecode(target)),
            filesystem=filesystem.decode(),
            source=os.fsdecode(_plain(source)),
            options=tuple(os.fsdecode(_plain(each)) for each in options.split(b",")),
            private=not any(each.startswith((b"shared:", b"master:")) for each in fields[6:]),
        )


def _plain(field: bytes) -> bytes:
    if b"\\" not in field:
        return field
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field)
