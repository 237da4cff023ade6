"""Layers that the kernel itself watches over: EROFS files sealed by fs-verity, where it can be had.

A sealed file can no longer be changed, and what the disk has changed of it is an error to whoever
reads it, containers included, in the place of wrong bytes. The kernel's digest of the file stands
beside it, so that one sealed file cannot take the place of another. Blocks.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from runtime.linux.verity import enable_verity, measure_verity
from stacker.base.atomic import write_atomic
from stacker.drivers.images.places import SUFFIXES
from stacker.oci.image import LayerFormat

SUFFIX = ".verity"


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
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with contextlib.suppress(FileExistsError):  # killed before the digest was written down
            enable_verity(fd)
        measured = measure_verity(fd)
    finally:
        os.close(fd)
    write_atomic(file.with_suffix(SUFFIX), measured.encode(), durable=False)
