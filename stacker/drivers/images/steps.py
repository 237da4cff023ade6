"""Naming the step in an error, and turning the disk's errors into ours."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager

from stacker.base.errors import Denied, Failed, NoSpace, NotFound, StackerError

BY_ERRNO: dict[int | None, type[StackerError]] = {
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EFBIG: NoSpace,
    errno.ENOENT: NotFound,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
}


@contextmanager
def step(name: str) -> Generator[None]:
    """Put `name: ` before the message of whatever error of ours passes."""
    try:
        yield
    except StackerError as error:
        error.message = f"{name}: {error.message}"
        raise


@contextmanager
def on_disk(name: str) -> Generator[None]:
    """As `step`, for an OSError."""
    try:
        yield
    except OSError as error:
        kind = BY_ERRNO.get(error.errno, Failed)
        place = f" {error.filename}" if error.filename else ""
        raise kind(f"{name}{place}: {(error.strerror or str(error)).lower()}") from error
