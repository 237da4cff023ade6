"""The way of `stacker up` in docs/architecture.md names functions that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENTRY = re.compile(r"`((?:stacker|runtime)/[\w/]+\.py)(?::([\w.]+))?`")


def entries() -> list[tuple[str, str]]:
    text = (ROOT / "docs/architecture.md").read_text()
    return [(path, name or "") for path, name in ENTRY.findall(text)]


def defined(tree: ast.AST, dotted: str) -> bool:
    first, _, rest = dotted.partition(".")
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == first:
                return defined(node, rest) if rest else True
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not rest:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == first for t in targets):
                return True
    return False


def test_the_document_lists_the_way() -> None:
    assert len(entries()) >= 20


@pytest.mark.parametrize(("path", "name"), entries())
def test_exists(path: str, name: str) -> None:
    source = ROOT / path
    assert source.exists()
    assert not name or defined(ast.parse(source.read_text()), name)
