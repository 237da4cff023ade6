"""Host paths of a stack file become absolute: relative to where the file that names them says.

Each node knows its source, so an included or extended file keeps its own directory. Nothing is
looked up on the disk here, and symbolic links are left as they are.
"""

from __future__ import annotations

import os.path

from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At

MAX_LENGTH = 4095
"""PATH_MAX without its NUL, linux/limits.h."""


class BadPath(ValueError):
    """A text that cannot be a path; the message is for the user."""


def looks_like_path(text: str) -> bool:
    """Whether the source of a short volume is a path of the host, not the name of a volume."""
    return text.startswith(("/", ".", "~"))


def absolute(at: At, text: str) -> str:
    """The absolute, normalised path that `text`, written at `at`, stands for."""
    source = at.node.mark.source
    if text.startswith("~"):
        user, _, rest = text.partition("/")
        home = source.home()
        if user != "~" or not home:
            raise BadPath(f"{quoted(user)} stands for no directory here")

        text = os.path.join(home, rest)
    if not text or len(text) > MAX_LENGTH:
        raise BadPath("not a path")

    return os.path.normpath(os.path.join(source.base, text))
