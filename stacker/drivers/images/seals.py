"""Layers that the kernel itself watches over: EROFS files sealed by fs-verity, where it can be had.

A sealed file can no longer be changed, and what the disk has changed of it is an error to whoever
reads it, containers included, in the place of wrong bytes. The kernel's digest of the file stands
beside it, so that one sealed file cannot take the place of another. Blocks.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

from runtime.linux.verity import enable_verity, measure_verity
from stacker.base.atomic import write_atomic
from stacker.drivers.images.places import SUFFIXES
from stacker.oci.image import LayerFormat

SUFFIX = ".verity"

_PROBE = ".probe-seal"
"""Always the same: what somebody who was killed has left goes the next time."""
_REASONS = {
    errno.ENOTTY: "this kind of file system has no fs-verity",
    errno.EOPNOTSUPP: "fs-verity is off in the kernel, or on this file system",
}
"""As https://docs.kernel.org/filesystems/fsverity.html explains the errors."""


def why_not(directory: Path) -> str | None:
    """Why files in `directory` cannot be sealed, found out by sealing one; None where they can."""
    probe = directory / _PROBE
    try:
        probe.unlink(missing_ok=True)
        try:
            probe.write_bytes(b"stacker")
            _measured(probe)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return _REASONS.get(error.errno or 0) or f"{error.strerror}"
    return None


def seal(files: Iterable[Path]) -> None:
    """Seal those that are EROFS files. Where it cannot be done they stay as they are: `verify`
    then looks at their bytes."""
    for file in files:
        if file.suffix == SUFFIXES[LayerFormat.EROFS]:
            with contextlib.suppress(OSError):
                _seal(file)


def is_intact(file: Path) -> bool:
    """Whether it is the file that was sealed; its bytes are right as far as they can be read."""
    try:
        with file.open("rb") as stream:
            measured = measure_verity(stream.fileno())
        return file.with_suffix(SUFFIX).read_text("ascii") == measured
    except (OSError, UnicodeDecodeError):
        return False


def _seal(file: Path) -> None:
    measured = _measured(file)
    write_atomic(file.with_suffix(SUFFIX), measured.encode(), durable=False)


def _measured(file: Path) -> str:
    """Seal a file, and tell the kernel's digest of it."""
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with contextlib.suppress(FileExistsError):  # killed before the digest was written down
            enable_verity(fd)
        return measure_verity(fd)
    finally:
        os.close(fd)
