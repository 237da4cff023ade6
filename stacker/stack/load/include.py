"""`include`: the parts of other stack files become parts of this one.

An included file keeps its own directory and its own `.env`, as if it were loaded alone. Pure:
`pipeline.py` loads the files; here is what an entry means and how two files become one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stacker.stack.load.canonical.decode import Table, fields, one_or_more, refuse, text_of
from stacker.stack.load.paths import BadPath, absolute
from stacker.stack.load.problems import Problem, Refused, quoted, suggestion
from stacker.stack.load.tree import At, MapNode, Node, content

KINDS = ("services", "networks", "volumes", "configs", "secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """An entry of `include`."""

    at: At
    files: tuple[Path, ...]
    directory: Path
    env_files: tuple[Path, ...] = ()
    """Empty: the `.env` of the directory, if it is there."""


def _path(at: At) -> Path:
    try:
        return Path(absolute(at, text_of(at)))
    except BadPath as error:
        refuse(at, str(error))


_ENTRY: Table = {
    "path": one_or_more(_path),
    "env_file": one_or_more(_path),
    "project_directory": _path,
}


def _include(at: At) -> Include:
    if not isinstance(at.node, MapNode):
        path = _path(at)
        return Include(at=at, files=(path,), directory=path.parent)

    found = fields(at, _ENTRY, required=("path",))
    files: tuple[Path, ...] = found["path"]
    if not files:
        refuse(at, "path is empty")

    return Include(
        at=at,
        files=files,
        directory=found.get("project_directory", files[0].parent),
        env_files=found.get("env_file", ()),
    )


def includes(tree: MapNode) -> tuple[Include, ...]:
    at = At(tree).get("include")
    return () if at is None or at.is_null else one_or_more(_include)(at)


def unite(tree: MapNode, included: MapNode) -> MapNode:
    """Both, where neither has what the other has; the same thing twice is there once."""
    problems = list(_unknown(included))
    changes: dict[str, Node] = {}
    for kind in KINDS:
        theirs = At(included).get(kind)
        if theirs is None or not isinstance(theirs.node, MapNode):
            continue
        ours = At(tree).get(kind)
        if ours is None or not isinstance(ours.node, MapNode):
            changes[kind] = theirs.node
            continue
        problems += _conflicts(ours, theirs)
        changes[kind] = MapNode(
            mark=ours.node.mark,
            entries={**theirs.node.entries, **ours.node.entries},
            marks={**theirs.node.marks, **ours.node.marks},
        )

    if problems:
        raise Refused(*problems)

    return tree.replace(changes)


def _unknown(included: MapNode) -> Iterator[Problem]:
    """What canonical would refuse in a file that is loaded alone."""
    for key, child in At(included).entries():
        if key not in KINDS and key not in ("name", "version") and not key.startswith("x-"):
            yield Problem(child.where, f"unknown key {quoted(key)}{suggestion(key, KINDS)}")


def _conflicts(ours: At, theirs: At) -> Iterator[Problem]:
    for key, child in ours.entries():
        other = theirs.get(key)
        if other is not None and content(other.node) != content(child.node):
            mark = other.key_mark or other.node.mark
            yield Problem(child.where, f"{quoted(key)} is included from {mark} already")
