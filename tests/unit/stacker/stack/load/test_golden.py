"""Every form of every key: stack files in tests/golden/stack and the canonical stacks they are.

``STACKER_WRITE_GOLDEN=1`` writes the expected files anew; the diff is for a human to read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stacker.stack.load.pipeline import LoadedStack, load_stack
from stacker.stack.load.render import render
from stacker.stack.model import Stack

GOLDEN = Path(__file__).parents[4] / "golden" / "stack"

CALLER = {
    "FROM_CALLER": "from the caller",
    "EMPTY_CALLER": "",
    "HOME": "/home/someone",
    "NOT_NAMED": "never read",
}

PLAIN = sorted(path for path in GOLDEN.glob("*.yaml") if path.stem != "profiles")


def load(directory: Path, *names: str, profiles: tuple[str, ...] = ()) -> LoadedStack:
    return load_stack(
        [Path(name) for name in names],
        working_dir=directory,
        environment=CALLER,
        profiles=profiles,
    )


def hold(loaded: LoadedStack, expected: Path) -> None:
    """The stack is the expected one, the directory of the repository left out."""
    dumped = json.dumps(loaded.stack.model_dump(mode="json", exclude_defaults=True), indent=2)
    portable = dumped.replace(str(GOLDEN.parent), "/golden") + "\n"
    if os.environ.get("STACKER_WRITE_GOLDEN"):
        expected.write_text(portable)

    assert portable == expected.read_text()


def hold_laws(stack: Stack, directory: Path) -> None:
    """Stored and read again, printed and loaded again, it is the same stack."""
    assert Stack.model_validate(json.loads(json.dumps(stack.model_dump(mode="json")))) == stack
    printed = directory / "printed.yaml"
    printed.write_text(render(stack))
    assert load_stack([printed], working_dir=directory, environment={}).stack == stack


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_forms(path: Path, tmp_path: Path) -> None:
    loaded = load(GOLDEN, path.name)
    hold(loaded, path.with_suffix(".json"))
    hold_laws(loaded.stack, tmp_path)


@pytest.mark.parametrize("chosen", [(), ("wanted",), ("unknown",)], ids=str)
def test_profiles(chosen: tuple[str, ...], tmp_path: Path) -> None:
    loaded = load(GOLDEN, "profiles.yaml", profiles=chosen)
    name = "wanted" if "wanted" in chosen else "none"
    hold(loaded, GOLDEN / f"profiles.{name}.json")


@pytest.mark.parametrize("directory", ["merged", "extending", "including"])
def test_several_files(directory: str, tmp_path: Path) -> None:
    loaded = load(GOLDEN / directory)
    hold(loaded, GOLDEN / directory / "expected.json")
    hold_laws(loaded.stack, tmp_path)
