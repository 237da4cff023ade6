"""The words of a Dockerfile line: quotes, backslashes, and variables of the image.

Used for `--change` of an import. Inside single quotes all is literal; elsewhere `$NAME`, `${NAME}`,
`${NAME:-default}` and `${NAME:+other}` are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from stacker.base.errors import Invalid

_VARIABLE = re.compile(
    r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^{}$]*))?\})"
)


def split(text: str, variables: Mapping[str, str]) -> list[str]:
    """Split at blanks that are neither quoted nor escaped."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character.isspace() and not quote:
            if word is not None:
                words.append("".join(word))
            word = None
            continue

        word = [] if word is None else word
        if character == quote:
            quote = ""
        elif character in "'\"" and not quote:
            quote = character
        elif character == "\\" and quote != "'" and position < len(text):
            # within double quotes a backslash is kept before what needs no escape
            if quote and text[position] not in '"\\$':
                word.append(character)
            word.append(text[position])
            position += 1
        elif character == "$" and quote != "'":
            value, position = _variable(text, position - 1, variables)
            word.append(value)
        else:
            word.append(character)
    if quote:
        raise Invalid(f"a {quote} is not closed")

    if word is not None:
        words.append("".join(word))
    return words


def _variable(text: str, position: int, variables: Mapping[str, str]) -> tuple[str, int]:
    match = _VARIABLE.match(text, position)
    if match is None:
        if text.startswith("${", position):
            raise Invalid(f"{text[position : position + 40]!r} is not a variable")
        return "$", position + 1

    value = variables.get(match[1] or match[2], "")
    if match[3] == "-":
        value = value or match[4]
    elif match[3] == "+":
        value = match[4] if value else ""
    return value, match.end()
