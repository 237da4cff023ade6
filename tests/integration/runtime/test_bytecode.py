"""The one file of bytecode: made once, never older than a source, never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.supervisor import REPOSITORY

LOADED_BY = """
import sys
sys.path.append(sys.argv[1])
from runtime import bytecode
bytecode.install()
from runtime import cli
print(type(cli.__loader__).__name__, cli.VERSION, cli.__file__)
"""


class Tree:
    """The package somewhere else, so that nobody else's starts interfere."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.cli = place / "runtime/cli.py"

    def make(self) -> Tree:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "runtime", self.place / "runtime", ignore=ignored)
        return self

    def start(self) -> tuple[str, ...]:
        """What loaded `runtime.cli`, the version in it, where its source is."""
        argv = [sys.executable, "-I", "-S", "-c", LOADED_BY, self.place]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        assert done.stderr == ""
        return tuple(done.stdout.split())

    def files(self) -> list[Path]:
        return list((self.place / "runtime/__pycache__").glob("all.*"))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "one").make()


def test_the_second_start_loads_from_it(tree: Tree) -> None:
    assert tree.start() == ("SourceFileLoader", "0.1.0", str(tree.cli))
    assert len(tree.files()) == 1
    assert tree.start() == ("PackedFinder", "0.1.0", str(tree.cli))


def test_a_changed_source_counts_at_once(tree: Tree) -> None:
    tree.start()
    tree.cli.write_text(tree.cli.read_text().replace('"0.1.0"', '"0.1.0+changed"'))
    assert tree.start()[:2] == ("SourceFileLoader", "0.1.0+changed")
    assert tree.files() == []
    tree.start()
    assert tree.start()[:2] == ("PackedFinder", "0.1.0+changed")


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "zeros": lambda whole: bytes(len(whole)),
    "nonsense": lambda whole: b"nonsense",
    "cut": lambda whole: whole[:-1],
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_one_is_made_anew(tree: Tree, how: str) -> None:
    tree.start()
    (file,) = tree.files()
    file.write_bytes(BROKEN[how](file.read_bytes()))
    assert tree.start()[0] == "SourceFileLoader"
    assert tree.start()[0] == "PackedFinder"


def test_a_copy_of_the_tree_loads_its_own_code(tree: Tree, tmp_path: Path) -> None:
    tree.start()
    other = Tree(tmp_path / "two")
    shutil.copytree(tree.place, other.place)
    assert other.start() == ("SourceFileLoader", "0.1.0", str(other.cli))
    assert other.start() == ("PackedFinder", "0.1.0", str(other.cli))


def test_without_a_cache_folder_nothing_is_kept(tree: Tree) -> None:
    (tree.place / "runtime/__pycache__").write_text("not a folder")
    assert tree.start()[0] == "SourceFileLoader"
    assert tree.start()[0] == "SourceFileLoader"


def test_many_first_starts_at_once_leave_one_file(tree: Tree) -> None:
    argv = [sys.executable, "-I", "-S", "-c", LOADED_BY, str(tree.place)]
    started = [subprocess.Popen(argv, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait() for process in started] == [0] * 4
    assert len(os.listdir(tree.place / "runtime/__pycache__")) > 1
    assert len(tree.files()) == 1
    assert tree.start()[0] == "PackedFinder"
