"""Archives that try to leave their root, and what a tree in which nobody can leaves of them.

The shapes are those of containerd's TestBreakouts, umoci's TestUnpackEntry, go-archive's and
Python's CVEs, each with every target that leads out. The model is a second implementation of the
rules in docs/layers.md, on dictionaries: no path in it can mean a path of this machine.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

Entry: TypeAlias = tuple[str, str, str]
"""What, its name, and what it holds or leads to."""
Tree: TypeAlias = dict[str, Any]
"""Names to trees, ("file", content) or ("symlink", target)."""


DANGLING = ("a hard link to nothing", "")


class RefusedError(Exception):
    """The archive is to be refused."""


@dataclass(frozen=True)
class Case:
    name: str
    layers: tuple[tuple[Entry, ...], ...]


SHAPES: dict[str, Callable[[str], list[Entry]]] = {
    "a file through a symlink": lambda t: [("symlink", "l", t), ("file", "l/victim", "x")],
    "a file in place of a symlink": lambda t: [("symlink", "l", t + "/victim"), ("file", "l", "x")],
    "a directory over a symlink": lambda t: [
        ("symlink", "l", t), ("dir", "l", ""), ("file", "l/victim", "x"),
    ],
    "a directory through a symlink": lambda t: [("symlink", "l", t), ("dir", "l/new", "")],
    "a symlink through a symlink": lambda t: [("symlink", "l", t), ("symlink", "l/s", "/")],
    "a hard link through a symlink": lambda t: [
        ("symlink", "l", t), ("file", "f", "x"), ("link", "l/hard", "f"),
    ],
    "a hard link to what a symlink leads to": lambda t: [
        ("symlink", "l", t), ("link", "hard", "l/victim"), ("file", "hard", "x"),
    ],
    "a hard link to a symlink, written": lambda t: [
        ("symlink", "l", t + "/victim"), ("link", "hard", "l"), ("file", "hard", "x"),
    ],
    "a hard link out": lambda t: [("link", "hard", t + "/victim"), ("file", "hard", "x")],
    "a name that leads out": lambda t: [("file", t + "/victim", "x")],
    "a name that goes up": lambda t: [("dir", "a", ""), ("file", "a/.." + t + "/victim", "x")],
    "a directory that becomes a symlink": lambda t: [
        ("dir", "d", ""), ("file", "d/inner", "1"), ("symlink", "d", t), ("file", "d/victim", "x"),
    ],
    "a symlink to a symlink": lambda t: [
        ("symlink", "a", t), ("symlink", "b", "a"), ("file", "b/victim", "x"),
    ],
    "up and out in two steps": lambda t: [
        ("dir", "a", ""), ("symlink", "a/up", ".."), ("symlink", "out", "a/up/.." + t),
        ("file", "out/victim", "x"),
    ],
    "a whiteout through a symlink": lambda t: [("symlink", "l", t), ("hide", "l/victim", "")],
    "an opaque marker through a symlink": lambda t: [("symlink", "l", t), ("opaque", "l", "")],
    "the root as a symlink": lambda t: [("symlink", "/.", t), ("file", "victim", "x")],
}  # fmt: skip


def cases(canary: str) -> Iterator[Case]:
    """Every shape with every target; in one layer, and each entry in a layer of its own."""
    targets = (
        canary, f"/../../../..{canary}", f"../../../../../../../..{canary}",
        f"/proc/self/root{canary}", "/proc/self/cwd/..", "..",
    )  # fmt: skip
    for shape, make in SHAPES.items():
        for target in targets:
            entries = tuple(make(target))
            yield Case(f"{shape}: {target}", (entries,))
            if len(entries) > 1:
                pair = (entries[:1], entries[1:])
                yield Case(f"{shape}, over a layer: {target}", pair)


# -- the model ---------------------------------------------------------------------------------


def model(case: Case) -> Tree:
    tree: Tree = {}
    for entries in case.layers:
        tree = _apply(tree, entries)
    return tree


def _apply(lower: Tree, entries: tuple[Entry, ...]) -> Tree:
    tree = copy.deepcopy(lower)
    own: set[tuple[str, ...]] = set()
    for what, path, value in entries:
        if what in ("hide", "opaque"):
            _hide(tree, own, path if what == "hide" else path + "/.", opaque=what == "opaque")
            continue
        *before, name = [part for part in path.split("/") if part not in ("", ".")] or [""]
        if not name:
            raise RefusedError("the root")
        real, parent = _directory(tree, before)
        if what == "dir":
            if not isinstance(parent.get(name), dict):
                parent[name] = {}
        elif what == "link":
            parent[name] = _linked(tree, value)
        else:
            parent[name] = (what, value)
        own.update((*real, name)[:depth] for depth in range(1, len(real) + 2))
    if _dangles(tree):
        raise RefusedError("a hard link to nothing")
    return tree


def _dangles(tree: Tree) -> bool:
    """Whether a link to nothing has stayed; one that a later entry replaces does no harm."""
    return any(
        _dangles(node) if isinstance(node, dict) else node == DANGLING for node in tree.values()
    )


def _hide(tree: Tree, own: set[tuple[str, ...]], path: str, *, opaque: bool) -> None:
    *before, name = path.split("/")
    real, parent = _directory(tree, before)
    for each in list(parent) if opaque else [name]:
        if (*real, each) not in own:
            parent.pop(each, None)


def _linked(tree: Tree, path: str) -> Any:
    *before, name = [part for part in path.split("/") if part not in ("", ".")]
    if name == "..":
        raise RefusedError("a hard link to a directory")
    _, parent = _directory(tree, before, create=False)
    found = parent.get(name, DANGLING)
    if isinstance(found, dict):
        raise RefusedError("a hard link to a directory")
    return found


def _directory(
    tree: Tree, parts: list[str], *, create: bool = True
) -> tuple[tuple[str, ...], Tree]:
    """Where a path leads, symlinks followed as in a chroot; made where it does not exist."""
    way: list[tuple[str, Tree]] = []
    new: list[str] = []
    todo = parts[::-1]
    for _ in range(1000):
        if not todo:
            if new and not create:
                return (), {}
            for name in new:
                at = way[-1][1] if way else tree
                at[name] = {}
                way.append((name, at[name]))
            return tuple(name for name, _ in way), way[-1][1] if way else tree
        part = todo.pop()
        at = way[-1][1] if way else tree
        if part in ("", "."):
            continue
        if part == "..":
            if new:
                new.pop()
            else:
                del way[-1:]
            continue
        if new:
            new.append(part)
            continue
        child = at.get(part)
        if child is None:
            new.append(part)
            continue
        if isinstance(child, dict):
            way.append((part, child))
        elif child[0] == "symlink":
            if child[1].startswith("/"):
                way.clear()
            todo += child[1].split("/")[::-1]
        else:
            raise RefusedError("a file on the way")
    raise RefusedError("a loop")
