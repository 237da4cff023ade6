"""The only file IO of `stack`: bounded reads of regular files, and the search for a stack file.

A FIFO or a device in place of a file never makes the reader wait: it is opened without blocking
and refused by its type. Files may be symbolic links.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from stacker.base.errors import Denied, Invalid, NotFound, StackerError, Unavailable

MAX_BYTES = 1024 * 1024
MAX_FILES = 1000
MAX_TOTAL = 8 * MAX_BYTES
"""Of one load: files name files, which name files."""

STACK_FILES = (
    "stack.yaml",
    "stack.yml",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
)


class Reader:
    """Reads text, and remembers what it was asked for, so that `up --watch` knows it too.

    A file is read once: all that one load makes of it comes from the same bytes.
    """

    def __init__(self) -> None:
        self._asked: dict[Path, str | None] = {}
        self._bytes = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file asked for, those that do not exist (yet) included."""
        return tuple(self._asked)

    def text(self, path: Path, *, what: str) -> str:
        """The text of a file; `what` names it in errors: ``stack file``, ``env_file``."""
        known = self._asked.setdefault(path, None)
        if known is not None:
            return known

        try:
            data = _read_bounded(path)
            self._bytes += len(data)
            if len(self._asked) > MAX_FILES or self._bytes > MAX_TOTAL:
                raise Invalid(f"one of more than {MAX_FILES} files or {MAX_TOTAL} bytes")
        except StackerError as error:
            raise type(error)(f"{what} {path}: {error.message}") from error

        try:
            text = self._asked[path] = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise Invalid(f"{what} {path}: line {line} is not UTF-8 text") from error

        return text

    def text_if_there(self, path: Path, *, what: str) -> str | None:
        try:
            return self.text(path, what=what)
        except NotFound:
            return None


def _read_bounded(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _translated(error) from error

    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Invalid("not a regular file")

        with os.fdopen(fd, "rb", closefd=False) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _translated(error) from error
    finally:
        os.close(fd)

    if len(data) > MAX_BYTES:
        raise Invalid(f"larger than {MAX_BYTES} bytes")

    return data


def _translated(error: OSError) -> StackerError:
    reason = (error.strerror or str(error)).lower()
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotFound(reason)
    if isinstance(error, PermissionError):
        return Denied(reason)
    if isinstance(error, IsADirectoryError) or error.errno in _WRONG_PATH:
        return Invalid(reason)

    return Unavailable(reason)


_WRONG_PATH = frozenset({36, 40, 6})
"""ENAMETOOLONG, ELOOP, ENXIO (a socket): the path itself is wrong."""


def find_stack_files(directory: Path) -> tuple[Path, ...]:
    """The stack file of a directory or of its nearest parent, and its override file if any."""
    for folder in (directory, *directory.parents):
        for name in STACK_FILES:
            path = folder / name
            if os.path.lexists(path):
                return (path, *_override_of(path))

    names = ", ".join(STACK_FILES)
    raise NotFound(f"no stack file in {directory} or above: looked for {names}")


def find_stack_file(directory: Path) -> Path:
    return find_stack_files(directory)[0]


def _override_of(path: Path) -> tuple[Path, ...]:
    for suffix in (".yaml", ".yml"):
        candidate = path.with_name(f"{path.stem}.override{suffix}")
        if os.path.lexists(candidate):
            return (candidate,)

    return ()
