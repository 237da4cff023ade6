"""Naming the step in an error, and turning the disk's errors into ours."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager

from stacker.base.errors import Failed, NoSpace, StackerError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


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
        kind = NoSpace if error.errno in FULL else Failed
        place = f" {error.filename}" if error.filename else ""
        raise kind(f"{name}{place}: {error.strerror or error}") from error
