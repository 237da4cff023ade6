"""What a command imports is what it costs: a dozen milliseconds is the whole budget of ``ps``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[4]
PROGRAM = """
import sys
from stacker.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print()
print(*sys.modules)
"""
SLOW = {"pydantic", "yaml", "textual", "aiohttp", "anyio", "asyncio", "pyroute2", "rich"}


def imported(tmp_path: Path, *words: str) -> set[str]:
    """Return the modules that a command has loaded; nothing listens where it looks."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "STACKER_RUN": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def before() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_ps_imports_next_to_nothing(tmp_path: Path) -> None:
    loaded = imported(tmp_path, "ps") - before()
    # not even json, re, enum, socket or argparse
    assert {name.split(".")[0] for name in loaded} <= {"stacker", "_json", "_socket", "__future__"}


@pytest.mark.parametrize(
    "words",
    [
        ["down"],
        ["logs", "web"],
        ["exec", "web", "true"],
        ["stop"],
        ["events"],
        ["stats", "--no-stream"],
        ["inspect", "web"],
        ["ls"],
        ["info"],
        ["up", "--help"],
        ["plan", "--help"],
    ],
)
def test_no_verb_imports_a_framework(tmp_path: Path, words: list[str]) -> None:
    roots = {name.split(".")[0] for name in imported(tmp_path, *words)}
    assert not roots & SLOW
