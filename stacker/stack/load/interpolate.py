"""Variables in values: ``$V ${V} ${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+a} ${V+a}``.

The forms nest, ``$$`` is a dollar. Keys are left alone, as the specification says.
Pure: values come from a lookup. Neither a value nor the text around it becomes part of a message:
what breaks most often here is a password with a dollar in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from stacker.stack.load.problems import Problem, Refused
from stacker.stack.load.tree import At, ListNode, MapNode, Node, Scalar

Lookup = Callable[[str], str | None]

MAX_LENGTH = 1024 * 1024
"""Of one value; a variable of a megabyte named a thousand times must not fill the memory."""
MAX_TOTAL = 8 * MAX_LENGTH
MAX_NESTING = 16

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(r":?[-?+]")


class BadTemplate(Exception):
    """A value whose variables cannot be put in; the message is for the user."""


def _ignore(name: str) -> None:
    """Says nothing of a variable that is not set."""


def substitute(text: str, lookup: Lookup, unset: Callable[[str], None] = _ignore) -> str:
    """The text with its variables put in; `unset` hears of the empty ones.

    A variable with an operator has said what happens when it is unset, and is not told.
    """
    if "$" not in text:
        return text

    return _Template(text, lookup, unset).all()


class _Template:
    def __init__(self, text: str, lookup: Lookup, unset: Callable[[str], None]) -> None:
        self._text = text
        self._lookup = lookup
        self._unset = unset
        self._at = 0
        self._length = 0

    def all(self) -> str:
        return self._until_end(depth=0, wanted=True)

    def _until_end(self, *, depth: int, wanted: bool) -> str:
        """Up to the closing brace of this depth, or the end at depth 0.

        What is not wanted (the default of a variable that is set) is parsed but not looked up.
        """
        if depth > MAX_NESTING:
            raise BadTemplate(f"variables nested deeper than {MAX_NESTING}")

        parts: list[str] = []
        text = self._text
        while self._at < len(text):
            char = text[self._at]
            if char == "}" and depth:
                self._at += 1
                return "".join(parts)
            if char == "$":
                parts.append(self._dollar(depth=depth, wanted=wanted))
                continue
            end = _next_special(text, self._at, closing=depth > 0)
            parts.append(self._counted(text[self._at : end]))
            self._at = end

        if depth:
            raise BadTemplate('"${" without "}"')

        return "".join(parts)

    def _dollar(self, *, depth: int, wanted: bool) -> str:
        following = self._text[self._at + 1 : self._at + 2]
        if following == "$":
            self._at += 2
            return "$"
        if following == "{":
            self._at += 2
            return self._braced(depth=depth, wanted=wanted)

        name = _NAME.match(self._text, self._at + 1)
        if name is None:
            raise BadTemplate('a "$" that is not part of a variable is written "$$"')

        self._at = name.end()
        return self._plain(name[0]) if wanted else ""

    def _braced(self, *, depth: int, wanted: bool) -> str:
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise BadTemplate('"${" is not followed by the name of a variable')

        name, self._at = match[0], match.end()
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            if self._text[self._at : self._at + 1] != "}":
                raise BadTemplate(f'"${{{name}" is followed by neither "}}" nor :- - :? ? :+ +')

            self._at += 1
            return self._plain(name) if wanted else ""

        self._at = operator.end()
        return self._with_operator(name, operator[0], depth=depth, wanted=wanted)

    def _with_operator(self, name: str, operator: str, *, depth: int, wanted: bool) -> str:
        value = self._lookup(name) if wanted else None
        there = bool(value) if operator.startswith(":") else value is not None
        kind = operator[-1]
        word = self._until_end(depth=depth + 1, wanted=wanted and there == (kind == "+"))
        if not wanted:
            return ""
        if kind == "+":
            return word if there else ""
        if there:
            return self._counted(value or "")
        if kind == "?":
            reason = f": {word}" if word else ""
            raise BadTemplate(f"required variable {name} is missing a value{reason}")

        return word

    def _plain(self, name: str) -> str:
        value = self._lookup(name)
        if value is None:
            self._unset(name)
            return ""

        return self._counted(value)

    def _counted(self, part: str) -> str:
        self._length += len(part)
        if self._length > MAX_LENGTH:
            raise BadTemplate(f"longer than {MAX_LENGTH} characters with its variables put in")

        return part


def _next_special(text: str, start: int, *, closing: bool) -> int:
    ends = [text.find("$", start)]
    if closing:
        ends.append(text.find("}", start))

    return min((end for end in ends if end != -1), default=len(text))


def interpolate(root: At, lookup: Lookup, unset: Callable[[str], None] = _ignore) -> Node:
    """The tree with the variables of every value put in; shared branches stay shared."""
    work = _Tree(lookup, unset)
    node = work.node(root)
    if work.problems:
        raise Refused(*work.problems)

    return node


class _Tree:
    def __init__(self, lookup: Lookup, unset: Callable[[str], None]) -> None:
        self.problems: list[Problem] = []
        self._lookup = lookup
        self._unset = unset
        self._done: dict[int, Node] = {}
        self._total = 0

    def node(self, at: At) -> Node:
        done = self._done.get(id(at.node))
        if done is None:
            done = self._done[id(at.node)] = self._new(at)

        return done

    def _new(self, at: At) -> Node:
        node = at.node
        if isinstance(node, Scalar):
            return self._scalar(at, node)
        if isinstance(node, ListNode):
            items = tuple(self.node(item) for item in at.items())
            return ListNode(mark=node.mark, tag=node.tag, items=items)
        if isinstance(node, MapNode):
            return node.replace({key: self.node(child) for key, child in at.entries()})

        return node

    def _scalar(self, at: At, node: Scalar) -> Scalar:
        if "$" not in node.text:
            return node

        try:
            text = substitute(node.text, self._lookup, self._unset)
            self._total += len(text)
            if self._total > MAX_TOTAL:
                raise BadTemplate(f"values with variables make more than {MAX_TOTAL} characters")
        except BadTemplate as error:
            self.problems.append(Problem(at.where, str(error)))
            return node

        return Scalar(mark=node.mark, tag=node.tag, text=text)
