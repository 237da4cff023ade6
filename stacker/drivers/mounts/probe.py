"""A tiny EROFS image, made here, to find out whether and how this host mounts one.

Called by `mounts`. The answer depends on the file system that layers lie on, so the image is
written there.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from stacker.base.errors import Failed, Unsupported
from stacker.drivers.mounts.context import unmount
from stacker.drivers.mounts.erofs import Method, mount_erofs
from stacker.oci.erofs.nodes import Attributes, Directory
from stacker.oci.erofs.writer import Writer

_CONTENT = b"stacker"


class _Buffer:
    """A sink in memory."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, buffer: bytes | bytearray | memoryview) -> None:
        self.data += buffer

    def skip(self, size: int) -> None:
        self.data += bytes(size)

    def patch(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data


def probe_image() -> bytes:
    """One directory with one file, its content inlined."""
    buffer = _Buffer()
    writer = Writer(buffer)
    root = Directory(Attributes(mode=stat.S_IFDIR | 0o700), None, listed=True)
    root.children[b"probe"] = writer.add(Attributes(mode=stat.S_IFREG | 0o400), content=_CONTENT)
    writer.finish(root, bytes(16))
    return bytes(buffer.data)


def probe(directory: Path, run: Path, methods: Sequence[Method]) -> Method:
    """Mounts the image, kept in `directory`, below `run`, and reads the file back."""
    name = f".probe-{secrets.token_hex(4)}"
    image, target = directory / name, run / f"{name}-mount"
    try:
        image.write_bytes(probe_image())
        target.mkdir(0o700)
    except OSError as error:
        image.unlink(missing_ok=True)
        raise Failed(f"probe EROFS in {directory}: {error.strerror}") from error
    try:
        method = mount_erofs(image, target, methods)
        try:
            if (target / "probe").read_bytes() != _CONTENT:
                raise Unsupported(f"probe EROFS in {directory}: the file reads back wrong")
        finally:
            unmount(target)
        return method
    except OSError as error:
        raise Unsupported(f"probe EROFS in {directory}: {error.strerror}") from error
    finally:
        image.unlink(missing_ok=True)
        os.rmdir(target)
