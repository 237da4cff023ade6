"""A file with a file system in it, mounted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.linux import loop, mount


@contextmanager
def mounted_disk(file: Path, place: Path, *, filesystem: str = "ext4") -> Iterator[Path]:
    with file.open("r+b") as backing:
        device = loop.attach_loop(backing.fileno(), read_only=False)
    try:
        mount.mount(loop.device_path(device), str(place), filesystem, 0, "")
    finally:
        os.close(device)
    try:
        yield place
    finally:
        mount.umount2(str(place))
