"""Several stack files as one, and a service with what it extends: the later one wins.

Maps are merged key by key, lists are joined without repeating what is there, single values are
replaced. The table below holds what the specification wants otherwise, by the path of a value.
``!reset`` takes away what an earlier file said, ``!override`` replaces instead of merging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stacker.stack.load.tree import ListNode, MapNode, Node, NodePath, Scalar, content

Rule = Callable[[Node, Node, NodePath], Node]


def merge(earlier: Node, later: Node, path: NodePath = ()) -> Node:
    """The tree of both; `path` is where in a stack file the two nodes stand."""
    if later.tag == "!override" or _says_nothing(earlier):
        return _settled(later)
    if _says_nothing(later):
        return earlier

    return _rule(path)(earlier, later, path)


def _says_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def settle(root: MapNode) -> MapNode:
    """The tree of a file that nothing comes before: `!reset` and `!override` have no object."""
    entries = {key: _settled(child) for key, child in root.entries.items() if child.tag != "!reset"}
    return MapNode(mark=root.mark, entries=entries, marks=root.marks)


def _settled(node: Node) -> Node:
    if isinstance(node, MapNode):
        return settle(node)
    if isinstance(node, ListNode):
        items = tuple(_settled(item) for item in node.items if item.tag != "!reset")
        return ListNode(mark=node.mark, items=items)

    return node


# --- the rules --------------------------------------------------------------------------------


def _by_kind(earlier: Node, later: Node, path: NodePath) -> Node:
    if isinstance(earlier, MapNode) and isinstance(later, MapNode):
        return merge_maps(earlier, later, path)
    if isinstance(earlier, ListNode) and isinstance(later, ListNode):
        return _joined(earlier, later)

    return _settled(later)


def merge_maps(earlier: MapNode, later: MapNode, path: NodePath = ()) -> MapNode:
    entries = dict(earlier.entries)
    for key, child in later.entries.items():
        if child.tag == "!reset":
            entries.pop(key, None)
        elif key in entries:
            entries[key] = merge(entries[key], child, (*path, key))
        else:
            entries[key] = _settled(child)

    return MapNode(mark=later.mark, entries=entries, marks={**earlier.marks, **later.marks})


def _joined(earlier: ListNode, later: ListNode) -> ListNode:
    settled = _settled(later)
    added = settled.items if isinstance(settled, ListNode) else ()
    unique = {content(item): item for item in (*earlier.items, *added)}
    return ListNode(mark=later.mark, items=tuple(unique.values()))


def _replaced(earlier: Node, later: Node, path: NodePath) -> Node:
    return _settled(later)


def _as_list(node: Node) -> Node:
    return ListNode(mark=node.mark, items=(node,)) if isinstance(node, Scalar) else node


def _lists(earlier: Node, later: Node, path: NodePath) -> Node:
    """For values where one word stands for a list of it."""
    return _by_kind(_as_list(earlier), _as_list(later), path)


def _as_pairs(node: Node) -> Node:
    """``[A=1, B]`` as a map; items that are no scalars stay for canonical to refuse."""
    if not isinstance(node, ListNode) or not all(isinstance(item, Scalar) for item in node.items):
        return node

    entries: dict[str, Node] = {}
    for item in node.items:
        if isinstance(item, Scalar):
            key, equals, value = item.text.partition("=")
            entries[key] = Scalar(mark=item.mark, text=value, plain=not equals)

    marks = {key: child.mark for key, child in entries.items()}
    return MapNode(mark=node.mark, entries=entries, marks=marks)


def _pairs(earlier: Node, later: Node, path: NodePath) -> Node:
    """For maps that may be lists of ``KEY=VALUE``, or of names alone."""
    return _by_kind(_as_pairs(earlier), _as_pairs(later), path)


def _as_hosts(node: Node) -> Node:
    if not isinstance(node, MapNode):
        return node

    items: list[Node] = []
    for name, child in node.entries.items():
        listed = _as_list(child)
        for address in listed.items if isinstance(listed, ListNode) else ():
            text = address.text if isinstance(address, Scalar) else ""
            items.append(Scalar(mark=address.mark, text=f"{name}={text}"))

    return ListNode(mark=node.mark, items=tuple(items))


def _hosts(earlier: Node, later: Node, path: NodePath) -> Node:
    return _by_kind(_as_hosts(earlier), _as_hosts(later), path)


def _logging(earlier: Node, later: Node, path: NodePath) -> Node:
    """Options belong to their driver: another driver starts from nothing."""
    if isinstance(earlier, MapNode) and isinstance(later, MapNode):
        before, after = earlier.entries.get("driver"), later.entries.get("driver")
        if after is not None and (before is None or content(before) != content(after)):
            return _settled(later)

    return _by_kind(earlier, later, path)


def _keyed(target: Callable[[str], str]) -> Rule:
    """Lists whose items replace each other when they end at the same target."""

    def rule(earlier: Node, later: Node, path: NodePath) -> Node:
        if not isinstance(earlier, ListNode) or not isinstance(later, ListNode):
            return _settled(later)

        settled = _settled(later)
        items: dict[object, Node] = {}
        for item in (*earlier.items, *(settled.items if isinstance(settled, ListNode) else ())):
            items[_target_of(item, target)] = item

        return ListNode(mark=later.mark, items=tuple(items.values()))

    return rule


def _target_of(item: Node, target: Callable[[str], str]) -> object:
    if isinstance(item, Scalar):
        return target(item.text)
    if isinstance(item, MapNode):
        for key in ("target", "source"):
            found = item.entries.get(key)
            if isinstance(found, Scalar):
                return found.text.rstrip("/") or "/"

    return content(item)


def _volume_target(text: str) -> str:
    parts = text.split(":")
    return (parts[1] if len(parts) > 1 else parts[0]).rstrip("/")


_SERVICE_RULES: dict[str, Rule] = {
    "command": _replaced,
    "entrypoint": _replaced,
    "healthcheck.test": _replaced,
    "environment": _pairs,
    "labels": _pairs,
    "deploy.labels": _pairs,
    "sysctls": _pairs,
    "networks": _pairs,
    "depends_on": _pairs,
    "extra_hosts": _hosts,
    "dns": _lists,
    "dns_search": _lists,
    "env_file": _lists,
    "tmpfs": _lists,
    "volumes": _keyed(_volume_target),
    "devices": _keyed(_volume_target),
    "configs": _keyed(str),
    "secrets": _keyed(str),
    "logging": _logging,
}
_TOP_RULES: dict[str, Rule] = {"labels": _pairs}


def _rule(path: NodePath) -> Rule:
    if len(path) < 3:
        return _by_kind

    rules = _SERVICE_RULES if path[0] == "services" else _TOP_RULES
    return rules.get(_dotted(path[2:]), _by_kind)


def _dotted(steps: Iterable[str | int]) -> str:
    return ".".join(str(step) for step in steps)
