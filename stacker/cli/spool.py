"""An archive from stdin, kept in a file while the supervisor reads it.

The supervisor is told a path, and reads it as root: the file is ours alone and has no name that
anybody could guess.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def spooled(path: str) -> Generator[str]:
    """Give the path itself, or for ``-`` that of a temporary file with what stdin holds."""
    if path != "-":
        yield path
        return

    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="stacker-", suffix=".tar") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        file.flush()
        yield file.name
