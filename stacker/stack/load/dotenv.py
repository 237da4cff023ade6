"""The grammar of `.env` and `env_file`, as Compose reads them. Pure: text in, pairs out.

    # a comment             A=plain text # a comment        export A=1
    A='as it is'            A="escapes \\n and ${VARIABLES}"  A (the value of the caller)

Quoted values may span lines. Variables are put in but between single quotes; they are looked up
outside first, then among the lines above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stacker.base.errors import Invalid
from stacker.stack.load.interpolate import BadTemplate, Lookup, substitute
from stacker.stack.load.problems import quoted

_KEY = re.compile(r"(?:export[ \t]+)?([^\s=:#'\"]+)[ \t]*(?:([=:])[ \t]*)?")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_REST_OF_LINE = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def parse_dotenv(text: str, *, name: str, lookup: Lookup) -> dict[str, str]:
    """The variables of a file; `name` is the file's in errors, `lookup` the world outside."""
    found: dict[str, str] = {}

    def both(variable: str) -> str | None:
        outside = lookup(variable)
        return found.get(variable) if outside is None else outside

    for line, key, value, expand in _lines(text, name):
        if value is None:
            inherited = both(key)
            if inherited is not None:
                found[key] = inherited
            continue
        try:
            found[key] = substitute(value, both) if expand else value
        except BadTemplate as error:
            raise Invalid(f"{key}: {error}", where=f"{name}:{line}") from error

    return found


def parse_raw(text: str, *, name: str) -> dict[str, str]:
    """``format: raw``: everything after the first ``=`` is the value."""
    found: dict[str, str] = {}
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        key, equals, value = content.partition("=")
        if not equals or not _NAME.fullmatch(key.strip()):
            raise Invalid("expected NAME=VALUE", where=f"{name}:{line}")
        found[key.strip()] = value

    return found


def _lines(text: str, name: str) -> Iterator[tuple[int, str, str | None, bool]]:
    """Line number, key, value or None, whether variables are put in."""
    at = _skip(text, 0)
    line, counted = 1, 0
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        where = f"{name}:{line}"
        match = _KEY.match(text, at)
        if match is None or not _NAME.fullmatch(match[1]):
            raise Invalid("expected NAME=VALUE", where=where)

        at = match.end()
        if match[2] is None:
            rest, at = _rest(text, at)
            if _COMMENT.sub("", rest).strip():
                raise Invalid(f"{quoted(match[1])} is not followed by =", where=where)
            yield line, match[1], None, False
        else:
            value, expand, at = _value(text, at, where)
            yield line, match[1], value, expand
        at = _skip(text, at)


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _rest(text: str, at: int) -> tuple[str, int]:
    match = _REST_OF_LINE.match(text, at)
    return (match[0], match.end()) if match else ("", at)


def _value(text: str, at: int, where: str) -> tuple[str, bool, int]:
    quote = text[at : at + 1]
    if quote not in ("'", '"'):
        rest, end = _rest(text, at)
        return _COMMENT.sub("", rest).strip(), True, end

    match = (_DOUBLE if quote == '"' else _SINGLE).match(text, at)
    if match is None:
        raise Invalid(f"a value that begins with {quote} does not end with it", where=where)

    rest, end = _rest(text, match.end())
    if _COMMENT.sub("", rest).strip():
        raise Invalid("something follows the closing quote", where=where)
    if quote == "'":
        return match[1].replace("\\'", "'"), False, end

    return _ESCAPE.sub(_unescaped, match[1]), True, end


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[0])
