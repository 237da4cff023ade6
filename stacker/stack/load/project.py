"""Which files make a stack, and what it is called: arguments, `COMPOSE_*`, the directory.

The precedence is that of docker compose: an argument, then the environment, then the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from stacker.base.errors import Invalid
from stacker.stack.load.problems import quoted
from stacker.stack.load.read import find_stack_files

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_NOT_ALLOWED = re.compile(r"[^a-z0-9_-]")

Lookup = Callable[[str], str | None]


def stack_files(files: Sequence[Path], working_dir: Path, lookup: Lookup) -> tuple[Path, ...]:
    """The files of the command line, of `COMPOSE_FILE`, or those found from the directory up."""
    if files:
        return tuple(working_dir / file for file in files)

    named = lookup("COMPOSE_FILE")
    if named:
        separator = lookup("COMPOSE_PATH_SEPARATOR") or ":"
        return tuple(working_dir / name for name in named.split(separator) if name)

    return find_stack_files(working_dir)


def active_profiles(profiles: Sequence[str], lookup: Lookup) -> frozenset[str]:
    if profiles:
        return frozenset(profiles)

    named = (lookup("COMPOSE_PROFILES") or "").split(",")
    return frozenset(name.strip() for name in named if name.strip())


def stack_name(
    argument: str | None, *, in_file: tuple[str, str] | None, directory: Path, lookup: Lookup
) -> str:
    """The name of the stack; `in_file` is what the file says, and where."""
    if argument:
        return _checked(argument, "the name given for the stack")

    named = lookup("COMPOSE_PROJECT_NAME")
    if named:
        return _checked(named, "COMPOSE_PROJECT_NAME")
    if in_file:
        text, where = in_file
        return _checked(text, "the name of the stack", where=where)

    normalised = _NOT_ALLOWED.sub("", directory.name.lower()).lstrip("_-")[:63]
    if not normalised:
        raise Invalid(f"directory {directory} gives the stack no name: use -p NAME, or name: NAME")

    return normalised


def _checked(text: str, what: str, *, where: str | None = None) -> str:
    if not _PROJECT.fullmatch(text):
        raise Invalid(
            f"{what} is {quoted(text)}, not lower case letters, digits, - and _, at most 63",
            where=where,
        )

    return text
