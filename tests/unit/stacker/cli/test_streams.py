"""Where the answer cannot be printed, the command says so in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[4]


def stacker(words: str, redirection: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'"$0" -m stacker {words} {redirection}', sys.executable],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "STACKER_RUN": "/nonexistent"},
    )


@pytest.mark.parametrize("words", ["help", "--version", "ps", "ps --format json"])
def test_a_full_disk(words: str) -> None:
    done = stacker(words, ">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "stacker: print the answer: no space left on device\n"


@pytest.mark.parametrize(("redirection", "words", "code"), [(">&-", "ps", 0), ("2>&-", "nix", 64)])
def test_a_closed_stream(redirection: str, words: str, code: int) -> None:
    done = stacker(words, redirection)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
