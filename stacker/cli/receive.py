"""A body of bytes from the supervisor, into a file or to stdout.

The file is written here, with the caller's rights, and has its name only when it is whole.
"""

from __future__ import annotations

import os
import sys

from stacker.cli import output
from stacker.cli.options import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stacker.client.http import Response


def into(path: str, ask: Callable[[], Response]) -> None:
    """Ask, and write the answer to ``path``; ``-`` is stdout, which must not be a terminal."""
    if path == "-":
        if output.is_terminal():
            raise UsageError(
                "an archive is not for a terminal: redirect it, or name a file with -o"
            )
        for part in ask().parts():
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return

    answer = ask()
    fresh = f"{path}.{os.getpid()}.new"
    try:
        with open(fresh, "xb") as file:
            for part in answer.parts():
                file.write(part)
        os.rename(fresh, path)
    except BaseException:
        answer.close()
        _remove(fresh)
        raise


def _remove(path: str) -> None:
    try:  # noqa: SIM105 contextlib is not worth its import here
        os.unlink(path)
    except FileNotFoundError:
        pass
