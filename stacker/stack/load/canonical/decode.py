"""The few ways to take a tree apart that every table of this package is made of.

Each gathers the refusals of all its children before it raises, so that one run of stacker shows
every mistake of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from stacker.stack.load.problems import Problem, Refused, quoted, suggestion
from stacker.stack.load.tree import At, ListNode, MapNode, Scalar

T = TypeVar("T")

Decoder = Callable[[At], T]

Table = Mapping[str, Decoder[Any]]


def refuse(at: At, message: str) -> NoReturn:
    raise Refused(Problem(at.where, message))


def fields(
    at: At,
    table: Table,
    *,
    refused: Mapping[str, str] | None = None,
    required: tuple[str, ...] = (),
    blank: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """A map with a decoder for each key.

    Nothing behind a key says nothing, and ``x-`` keys are the user's own: both are left out.
    `refused` holds the keys of the specification that get a sentence of their own; what is
    `required` is in the result. At the keys in `blank` an empty text, which is what a variable
    without a value leaves behind, says nothing either.
    """
    if not isinstance(at.node, MapNode):
        refuse(at, "expected a map of keys")

    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, child in at.entries():
        if key.startswith("x-"):
            continue
        try:
            if key not in table:
                refuse(child, _unknown(key, table, refused or {}))
            if not (child.is_null or (key in blank and child.is_empty)):
                found[key] = table[key](child)
        except Refused as error:
            problems += error.problems

    missing = [key for key in required if (child := at.get(key)) is None or child.is_null]
    if missing:
        problems.append(Problem(at.where, f"{' and '.join(missing)} missing"))
    if problems:
        raise Refused(*problems)

    return found


def _unknown(key: str, table: Table, refused: Mapping[str, str]) -> str:
    if key in refused:
        return refused[key]

    return f"unknown key {quoted(key)}{suggestion(key, table)}"


def list_of(decoder: Decoder[T]) -> Decoder[tuple[T, ...]]:
    def decode(at: At) -> tuple[T, ...]:
        if not isinstance(at.node, ListNode):
            refuse(at, "expected a list")

        return tuple(_each(at, decoder))

    return decode


def one_or_more(decoder: Decoder[T]) -> Decoder[tuple[T, ...]]:
    """A list, or one item that stands for a list of itself."""
    several = list_of(decoder)

    def decode(at: At) -> tuple[T, ...]:
        return several(at) if isinstance(at.node, ListNode) else (decoder(at),)

    return decode


def _each(at: At, decoder: Decoder[T]) -> list[T]:
    values: list[T] = []
    problems: list[Problem] = []
    for item in at.items():
        try:
            values.append(decoder(item))
        except Refused as error:
            problems += error.problems

    if problems:
        raise Refused(*problems)

    return values


def map_of(
    decoder: Decoder[T], key: Callable[[At, str], str] | None = None
) -> Decoder[dict[str, T]]:
    """A map with keys of the user's choice; `key` checks and spells them."""

    def decode(at: At) -> dict[str, T]:
        if not isinstance(at.node, MapNode):
            refuse(at, "expected a map")

        values: dict[str, T] = {}
        problems: list[Problem] = []
        for name, child in at.entries():
            if key is None and name.startswith("x-"):
                continue
            try:
                values[key(child, name) if key else name] = decoder(child)
            except Refused as error:
                problems += error.problems

        if problems:
            raise Refused(*problems)

        return values

    return decode


def text_of(at: At) -> str:
    """The text of a scalar, as written."""
    if not isinstance(at.node, Scalar):
        refuse(at, "expected a single value, not a list or a map")
    if at.is_null:
        refuse(at, "expected a value, found nothing")

    return at.node.text


def choice(*words: str, also: Mapping[str, str] | None = None) -> Decoder[str]:
    """One of a few words; `also` maps other spellings to them."""
    spellings = {word: word for word in words} | dict(also or {})

    def decode(at: At) -> str:
        text = text_of(at)
        if text not in spellings:
            hint = suggestion(text, spellings)
            refuse(at, f"{quoted(text)} is none of {', '.join(words)}{hint}")

        return spellings[text]

    return decode
