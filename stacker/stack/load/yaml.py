"""YAML text to a tree, by libyaml's event stream, within bounds.

Built from events with a stack of our own: libyaml's composer recurses in C, and an alias there
costs nothing until the tree is walked. Depth and node count are those after alias expansion, so
nothing behind this file can be made to blow up. Duplicate keys and unknown tags are refused;
what a plain scalar means is left to the field that reads it (see `tree.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from stacker.base.errors import Invalid
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import ListNode, MapNode, Mark, Node, Scalar, Source

MAX_DEPTH = 64
MAX_NODES = 100_000

_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(_CORE + name for name in ("str", "int", "float", "bool", "null"))
_MERGE_TAGS = frozenset({"!reset", "!override"})
_NO_TAG = frozenset({None, "!", _CORE + "map", _CORE + "seq"})


@dataclass(slots=True)
class _Built:
    """A finished node with its size and height after alias expansion."""

    node: Node
    size: int = 1
    height: int = 1


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been seen."""

    mark: Mark
    anchor: str | None
    tag: str | None
    is_map: bool
    children: list[_Built] = field(default_factory=list[_Built])


def parse(text: str, source: Source) -> tuple[MapNode, ...]:
    """The documents of a file; an empty one is left out."""
    try:
        documents = tuple(_documents(text, source))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        reason = error.problem or error.context
        raise Invalid(f"not YAML: {reason}", where=f"{source.name}:{line}") from error
    except (yaml.YAMLError, ValueError) as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise Invalid(
            "not YAML: a character that is not allowed", where=f"{source.name}:{line}"
        ) from error

    return documents


def _documents(text: str, source: Source) -> Iterator[MapNode]:
    builder: _Builder | None = None
    for event in _events(text):
        if isinstance(event, DocumentStartEvent):
            builder = _Builder(source)
        elif builder is not None:
            root = builder.feed(event)
            if root is None:
                continue
            builder = None
            if isinstance(root, MapNode):
                yield root
            elif not (isinstance(root, Scalar) and root.is_null):
                raise Invalid("a stack file is a map of keys", where=str(root.mark))


def _events(text: str) -> Iterator[Any]:
    """The parse events; PyYAML has no types of its own."""
    return iter(cast("Iterator[Any]", yaml.parse(text, Loader=yaml.CSafeLoader)))  # pyright: ignore[reportUnknownMemberType]


class _Builder:
    """One document: feed events, get the root when it is complete."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._open: list[_Open] = []
        self._anchors: dict[str, _Built] = {}
        self._pending: set[str] = set()
        self._nodes = 0

    def feed(self, event: Any) -> Node | None:
        mark = Mark(self._source, event.start_mark.line + 1)
        if isinstance(event, ScalarEvent):
            return self._add(_Built(self._scalar(event, mark)), event.anchor)
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            return self._begin(event, mark)
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            opened = self._open.pop()
            return self._add(self._finish(opened), opened.anchor)
        if isinstance(event, AliasEvent):
            return self._add(self._alias(event.anchor, mark), None)

        return None

    def _begin(self, event: Any, mark: Mark) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise Invalid(f"nested deeper than {MAX_DEPTH} levels", where=str(mark))

        if event.anchor:
            self._pending.add(event.anchor)
        tag = _merge_tag(event.tag, mark)
        is_map = isinstance(event, MappingStartEvent)
        self._open.append(_Open(mark, event.anchor, tag, is_map))

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
        text: str = event.value
        if "\0" in text:
            raise Invalid("a NUL character is not allowed", where=str(mark))

        plain = bool(event.implicit[0]) or event.tag == _CORE + "null"
        if event.tag in _CORE_TAGS:
            return Scalar(mark=mark, text=text, plain=plain)

        return Scalar(mark=mark, text=text, plain=plain, tag=_merge_tag(event.tag, mark))

    def _alias(self, anchor: str, mark: Mark) -> _Built:
        if anchor in self._pending:
            raise Invalid(f"alias {quoted(anchor)} contains itself", where=str(mark))
        if anchor not in self._anchors:
            raise Invalid(f"alias {quoted(anchor)} has no anchor", where=str(mark))

        return self._anchors[anchor]

    def _add(self, built: _Built, anchor: str | None) -> Node | None:
        mark = built.node.mark
        if len(self._open) + built.height > MAX_DEPTH:
            raise Invalid(f"nested deeper than {MAX_DEPTH} levels", where=str(mark))
        if built.size > MAX_NODES:
            raise Invalid(f"more than {MAX_NODES} nodes once aliases are expanded", where=str(mark))

        if anchor:
            self._pending.discard(anchor)
            self._anchors[anchor] = built
        if not self._open:
            return built.node

        self._open[-1].children.append(built)
        return None

    def _finish(self, opened: _Open) -> _Built:
        children = opened.children
        size = 1 + sum(child.size for child in children)
        height = 1 + max((child.height for child in children), default=0)
        if opened.is_map:
            node: Node = _map(opened)
        else:
            items = tuple(child.node for child in children)
            node = ListNode(mark=opened.mark, tag=opened.tag, items=items)

        return _Built(node, size, height)


def _merge_tag(tag: str | None, mark: Mark) -> str | None:
    if tag in _NO_TAG:
        return None
    if tag in _MERGE_TAGS:
        return tag

    raise Invalid(f"tag {quoted(str(tag))} is not allowed", where=str(mark))


def _map(opened: _Open) -> MapNode:
    entries: dict[str, Node] = {}
    marks: dict[str, Mark] = {}
    merged: list[MapNode] = []
    pairs = [child.node for child in opened.children]
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, Scalar) or key.is_null or not key.text:
            raise Invalid("a key is a word, not a list, a map or nothing", where=str(key.mark))

        if key.text == "<<" and key.plain:
            merged += _merged_maps(value)
            continue
        if key.text in entries:
            first = marks[key.text].line
            raise Invalid(
                f"key {quoted(key.text)} is there twice, first in line {first}",
                where=str(key.mark),
            )
        entries[key.text] = value
        marks[key.text] = key.mark

    for other in merged:
        entries = {**other.entries, **entries}
        marks = {**other.marks, **marks}

    return MapNode(mark=opened.mark, tag=opened.tag, entries=entries, marks=marks)


def _merged_maps(value: Node) -> list[MapNode]:
    """What `<<` brings in; of several the first has precedence, as the YAML merge type says."""
    values = value.items if isinstance(value, ListNode) else (value,)
    maps = [item for item in values if isinstance(item, MapNode)]
    if len(maps) != len(values):
        raise Invalid("<< takes a map, or a list of maps", where=str(value.mark))

    return maps
