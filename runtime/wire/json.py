"""JSON without the package `json`, which imports `re` and `enum` for its decoder.

Those two cost the command line 5 ms at each start, a third of a whole `state`. What does the work
in the package is C, and is called here as the package calls it (CPython's Lib/json). NaN and
Infinity are no JSON: they are refused both ways.
"""

from __future__ import annotations

from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, cast
else:

    def cast(_, value):
        return value


_BLANK = " \t\n\r"


def _refuse(name: object) -> None:
    raise ValueError(f"{name} is not JSON")


class _Decoder:
    """What the scanner asks its context for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse)


_context: Any = _Decoder()
_scan: Any = make_scanner(_context)


def loads(text: str | bytes) -> Any:
    """ValueError for what is not one JSON value; bytes are UTF-8."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    start, end = _skip_blanks(text, 0), 0
    try:
        value, end = _scan(text, start)
    except StopIteration as stop:
        raise ValueError(f"expecting value: {_place(text, stop.value)}") from None
    end = _skip_blanks(text, end)
    if end != len(text):
        raise ValueError(f"extra data: {_place(text, end)}")
    return value


def dumps(
    value: object,
    *,
    ensure_ascii: bool = True,
    sort_keys: bool = False,
    separators: tuple[str, str] = (", ", ": "),
    indent: int | None = None,
) -> str:
    """TypeError for what JSON has no form for."""
    if indent is not None:
        return _indented(value, " " * indent, "\n")
    items, keys = separators
    text = encode_basestring_ascii if ensure_ascii else encode_basestring
    encode: Any = make_encoder(None, _no_form, text, None, keys, items, sort_keys, False, False)
    return "".join(encode(value, 0))


def _indented(value: Any, more: str, line: str) -> str:
    inner = line + more
    if isinstance(value, dict) and value:
        pairs = cast("dict[str, Any]", value)
        keys = [f"{dumps(key)}: {_indented(item, more, inner)}" for key, item in pairs.items()]
        return f"{{{inner}{f',{inner}'.join(keys)}{line}}}"
    if isinstance(value, list | tuple) and value:
        sequence = cast("list[Any]", value)
        items = [_indented(item, more, inner) for item in sequence]
        return f"[{inner}{f',{inner}'.join(items)}{line}]"
    return dumps(cast("object", value))


def _no_form(value: object) -> None:
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _place(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"line {line} column {at - text.rfind(chr(10), 0, at)} (char {at})"
