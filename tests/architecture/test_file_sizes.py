"""No file grows past the point where one reader can hold it in mind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 500
EXCEPTIONS: frozenset[str] = frozenset()
"""Hand-written files that may be longer. This set may only shrink."""


def sources() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in listed.stdout.split() if (ROOT / name).exists()]


def test_there_are_sources() -> None:
    assert len(sources()) > 50


@pytest.mark.parametrize("name", sources())
def test_length(name: str) -> None:
    lines = (ROOT / name).read_bytes().count(b"\n")
    assert lines <= LONGEST or name in EXCEPTIONS, f"{name} has {lines} lines"


@pytest.mark.parametrize("name", sources())
def test_folder_names(name: str) -> None:
    assert not {"utils", "helpers", "common", "misc"} & set(Path(name).with_suffix("").parts)
