"""`extends`: a service begins as a copy of another one, of this file or of another.

Pure but for the `open_file` it is given. A copied service keeps the source of its nodes, so its
relative paths stay relative to the file they were written in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from stacker.stack.load.canonical.decode import Table, fields, refuse, text_of
from stacker.stack.load.canonical.scalars import string
from stacker.stack.load.merge import merge
from stacker.stack.load.paths import BadPath, absolute
from stacker.stack.load.problems import Problem, Refused, quoted, suggestion, told_at
from stacker.stack.load.tree import At, MapNode, Node

OpenFile = Callable[[Path], MapNode]

MAX_CHAIN = 32

_EXTENDS: Table = {"service": string, "file": string}


def extend(tree: MapNode, earlier: Sequence[MapNode], open_file: OpenFile) -> MapNode:
    """The tree with every service complete; `earlier` are the files that come before it."""
    services = At(tree).get("services")
    if services is None or not isinstance(services.node, MapNode):
        return tree

    work = _Extending((tree, *reversed(earlier)), open_file)
    done: dict[str, Node] = {}
    problems: list[Problem] = []
    for name, service in services.entries():
        try:
            done[name] = work.complete(service, name, ())
        except Refused as error:
            problems += error.problems

    if problems:
        raise Refused(*problems)

    return tree.replace({"services": services.node.replace(done)})


class _Extending:
    """The services of one file, and of those before it, where a base may be found."""

    def __init__(self, trees: Sequence[MapNode], open_file: OpenFile) -> None:
        self._trees = trees
        self._open_file = open_file

    def complete(self, at: At, name: str, chain: tuple[str, ...]) -> Node:
        extends = at.get("extends")
        if extends is None or not isinstance(at.node, MapNode):
            return at.node

        own = at.node.without("extends")
        if extends.is_null:
            return own

        link = f"{at.node.mark.source.name}: {name}"
        if link in chain:
            refuse(extends, f"services extend each other in a circle: {' → '.join((*chain, link))}")
        if len(chain) >= MAX_CHAIN:
            refuse(extends, f"more than {MAX_CHAIN} services extend one another")

        base = self._base(extends, name, (*chain, link))
        return merge(base, own, ("services", name))

    def _base(self, at: At, name: str, chain: tuple[str, ...]) -> Node:
        if isinstance(at.node, MapNode):
            found = fields(at, _EXTENDS, required=("service",))
        else:
            found = {"service": text_of(at)}

        wanted: str = found["service"]
        scope = self
        if "file" in found:
            where = at.get("file") or at
            scope = _Extending((self._other(where, found["file"]),), self._open_file)
        elif wanted == name:
            # in one file a service cannot extend itself; an earlier file may hold its first half
            scope = _Extending(self._trees[1:], self._open_file)

        service = scope._find(wanted)
        if service is None:
            known = scope._names()
            refuse(
                at, f"service {quoted(wanted)} is not there to extend{suggestion(wanted, known)}"
            )

        return scope.complete(service, wanted, chain)

    def _other(self, at: At, text: str) -> MapNode:
        try:
            path = Path(absolute(at, text))
        except BadPath as error:
            refuse(at, str(error))

        with told_at(at.where):
            return self._open_file(path)

    def _find(self, name: str) -> At | None:
        for tree in self._trees:
            services = At(tree).get("services")
            found = services.get(name) if services else None
            if found is not None:
                return found

        return None

    def _names(self) -> list[str]:
        services = [At(tree).get("services") for tree in self._trees]
        return [name for at in services if at is not None for name, _ in at.entries()]
