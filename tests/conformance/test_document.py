"""The suite's own rules: every case cites a section, every difference is explained."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.conftest import SECTION

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs/conformance.md"


def cases() -> Iterator[tuple[str, ast.FunctionDef]]:
    for file in sorted(HERE.glob("test_*.py")):
        if file.name == Path(__file__).name:
            continue
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{file.name}:{node.name}", node


def differences() -> Iterator[tuple[str, str, str]]:
    for file in sorted(HERE.glob("test_*.py")):
        for mark in ast.walk(ast.parse(file.read_text())):
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.differs":
                for keyword in mark.keywords:
                    yield file.name, str(keyword.arg), str(ast.literal_eval(keyword.value))


def test_every_case_cites_its_section() -> None:
    silent = [name for name, case in cases() if not SECTION.search(ast.get_docstring(case) or "")]
    assert silent == []


def test_every_difference_is_explained() -> None:
    text = " ".join(DOCUMENT.read_text().split())
    missing = [
        f"{name}: {runtime}: {reason}"
        for name, runtime, reason in differences()
        if reason not in text
    ]
    assert missing == []
