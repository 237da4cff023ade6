"""What is wrong with a stack file: gathered while decoding, told together.

A decoder raises `Refused`; whatever decodes several things at once gathers the refusals of all
and raises one. `pipeline.py` turns it into `Invalid`, so that one run shows every mistake.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from stacker.base.errors import Invalid, StackerError

MAX_TOLD = 10


@dataclass(frozen=True, slots=True)
class Problem:
    where: str
    message: str


class Refused(Exception):
    """Something of the file cannot be taken; never leaves `load`."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


def invalid(problems: Iterable[Problem], notes: Iterable[str] = ()) -> Invalid:
    """The error for the user: one problem a line, the first in the usual place, notes last."""
    unique = list(dict.fromkeys(problems))
    told = unique[:MAX_TOLD]
    lines = [told[0].message, *(f"{problem.where}: {problem.message}" for problem in told[1:])]
    if len(unique) > MAX_TOLD:
        lines.append(f"and {len(unique) - MAX_TOLD} more")

    lines += islice(notes, MAX_TOLD)
    return Invalid("\n".join(lines), where=told[0].where)


@contextmanager
def told_at(where: str) -> Generator[None]:
    """Errors of another file name the place that led to it, where they name none themselves."""
    try:
        yield
    except StackerError as error:
        if error.where is not None:
            raise
        raise type(error)(error.message, where=where) from error


def suggestion(word: str, known: Iterable[str]) -> str:
    """` (did you mean "networks"?)`, or nothing."""
    folded = {_folded(name): name for name in known}
    nearest = get_close_matches(_folded(word), folded, n=1, cutoff=0.7)
    return f' (did you mean "{folded[nearest[0]]}"?)' if nearest else ""


def _folded(word: str) -> str:
    return word[:64].lower().replace("-", "_")


def quoted(text: str, limit: int = 60) -> str:
    """A word of the user's in a message: on one line, and never endless."""
    shown = text if len(text) <= limit else text[:limit] + "…"
    safe = "".join(char if char.isprintable() else "?" for char in shown)
    return f'"{safe}"'
