"""What the runtime's command line loads: its start is most of what `state` or `start` take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
# each costs 1 to 10 ms, the interpreter itself 6
SLOW = {
    "argparse", "collections", "contextlib", "dataclasses", "enum", "functools", "inspect", "json",
    "logging", "re", "shutil", "signal", "subprocess", "tempfile", "threading", "typing",
}  # fmt: skip
# what makes a container, and eBPF and mounts by ctypes with it
CREATES = {"runtime.launch", "runtime.rootfs", "runtime.cgroups.limits", "ctypes"}
NEEDED = """
import sys
sys.path.append(sys.argv[1])
from runtime import cli, __main__
from runtime.commands.verbs import find_verb
find_verb(sys.argv[2])
print(*sys.modules)
"""


def loaded(verb: str) -> set[str]:
    argv = [sys.executable, "-I", "-S", "-c", NEEDED, str(TREE), verb]
    return set(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("verb", ["create", "run", "exec", "state", "start", "kill", "delete"])
def test_no_verb_loads_what_is_slow(verb: str) -> None:
    assert loaded(verb) & SLOW == set()


@pytest.mark.parametrize("verb", ["state", "start", "kill", "delete"])
def test_no_other_verb_loads_what_creates(verb: str) -> None:
    assert loaded(verb) & CREATES == set()
