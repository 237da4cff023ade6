"""The tree of a stack file between YAML and the model: each node knows where it was written.

Scalars keep the text as written: what `1.10` or `022` means is decided by the field it is for,
so an unquoted version number, octal mask or ``22:22`` means what the user sees.
Trees are never changed: a stage builds a new one and shares what it leaves alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that nodes come from."""

    name: str
    """As messages show it."""
    base: Path
    """Relative paths written in this file start here."""
    home: Callable[[], str | None] = lambda: None
    """What `~` stands for; asked only when it is used."""


@dataclass(frozen=True, slots=True)
class Mark:
    source: Source
    line: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    mark: Mark
    tag: str | None = None
    """`!reset` or `!override`, which say how to merge; None otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar(Node):
    text: str
    plain: bool = False
    """Written without quotes, and no variable was put in: it may be null."""

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode(Node):
    items: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode(Node):
    entries: Mapping[str, Node] = field(default_factory=dict[str, Node])
    marks: Mapping[str, Mark] = field(default_factory=dict[str, Mark])
    """Where each key was written; the value may begin further down."""

    def mark_of(self, key: str) -> Mark:
        return self.marks.get(key) or self.entries[key].mark

    def replace(self, changes: Mapping[str, Node]) -> MapNode:
        """The same map with these entries set, at their old places where they had one."""
        entries = {**self.entries, **changes}
        return MapNode(mark=self.mark, tag=self.tag, entries=entries, marks=self.marks)

    def without(self, *keys: str) -> MapNode:
        entries = {key: node for key, node in self.entries.items() if key not in keys}
        return MapNode(mark=self.mark, tag=self.tag, entries=entries, marks=self.marks)


NodePath = tuple[str | int, ...]


def show_path(path: NodePath) -> str:
    """`services.web.ports[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step

    return text


@dataclass(frozen=True, slots=True)
class At:
    """A node and the way to it."""

    node: Node
    path: NodePath = ()
    key_mark: Mark | None = None

    @property
    def where(self) -> str:
        mark = self.key_mark or self.node.mark
        return f"{mark}: {show_path(self.path)}" if self.path else str(mark)

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, Scalar) and self.node.is_null

    @property
    def is_empty(self) -> bool:
        return isinstance(self.node, Scalar) and not self.node.text

    def entries(self) -> Iterator[tuple[str, At]]:
        """The children of a map; nothing for other nodes."""
        if isinstance(self.node, MapNode):
            for key, node in self.node.entries.items():
                yield key, At(node, (*self.path, key), self.node.mark_of(key))

    def items(self) -> Iterator[At]:
        """The children of a list; nothing for other nodes."""
        if isinstance(self.node, ListNode):
            for index, node in enumerate(self.node.items):
                yield At(node, (*self.path, index))

    def get(self, key: str) -> At | None:
        if not isinstance(self.node, MapNode) or key not in self.node.entries:
            return None

        return At(self.node.entries[key], (*self.path, key), self.node.mark_of(key))


def locate(root: MapNode, path: NodePath) -> str:
    """Where a path of the whole tree was written, or its nearest ancestor that was."""
    at = At(root)
    for step in path:
        if isinstance(step, str):
            child = at.get(step)
        else:
            node = at.node
            items = node.items if isinstance(node, ListNode) else ()
            child = At(items[step], (*at.path, step)) if step < len(items) else None
        if child is None:
            break
        at = child

    mark = at.key_mark or at.node.mark
    return f"{mark}: {show_path(path)}"


def part(at: At, text: str) -> At:
    """A piece of a scalar's text, as a value of its own at the same place."""
    return At(Scalar(mark=at.node.mark, text=text), at.path, at.key_mark)


def content(node: Node) -> object:
    """What a node says, without where: equal for nodes that say the same."""
    if isinstance(node, Scalar):
        return None if node.is_null else node.text
    if isinstance(node, ListNode):
        return tuple(content(item) for item in node.items)
    if isinstance(node, MapNode):
        return frozenset((key, content(child)) for key, child in node.entries.items())

    return None
