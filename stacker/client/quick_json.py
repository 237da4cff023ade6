"""Parsing JSON without importing ``json``.

``json`` compiles regular expressions when it is imported: with ``re``, ``enum`` and ``functools``
8 ms, a third of all that ``stacker ps`` may take. Its scanner is a C type that needs none of them.
Where an interpreter has no such type, ``json`` itself is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SPACE = " \t\n\r"


class _Options:
    """What the scanner asks of its context: those of ``json.JSONDecoder()``."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012 the scanner empties it after each document

    @staticmethod
    def parse_constant(name: str) -> object:
        raise ValueError(f"{name} is not JSON")


def _make_loads() -> Callable[[str], object]:
    try:
        from _json import make_scanner
    except ImportError:
        from json import loads

        return loads
    scan: Callable[[str, int], tuple[object, int]] = make_scanner(_Options())  # pyright: ignore[reportArgumentType]

    def quick_loads(text: str) -> object:
        try:
            value, end = scan(text, len(text) - len(text.lstrip(_SPACE)))
        except StopIteration as error:
            raise ValueError(f"no JSON value at {error.value}") from None
        if text[end:].strip(_SPACE):
            raise ValueError(f"more than one JSON value at {end}")
        return value

    return quick_loads


_loads = _make_loads()


def loads(content: bytes) -> object:
    """Parse one JSON document; ValueError or RecursionError for anything else."""
    return _loads(content.decode())
