"""I8, D1 and D2: nothing of an archive reaches a file outside of its layer.

CI unpacks a seeded sample into directories, and all into EROFS files; STACKER_SOAK=1 all into both.
"""

from __future__ import annotations

import ctypes
import os
import random
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from runtime.linux.files import exchange
from stacker.base.errors import Corrupt, StackerError
from stacker.drivers.images.unpacked import discard
from stacker.oci.image import LayerFormat
from tests.integration.layers.breakouts import Case, Entry, RefusedError, Tree, cases, model
from tests.integration.layers.conftest import Layers, merged

pytestmark = pytest.mark.root
SOAK = os.environ.get("STACKER_SOAK") == "1"
SAMPLE = 30
RACES = 2000 if SOAK else 12
EXCHANGES = 100_000 if SOAK else 1


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A folder outside, of which nothing may change: not a name, a byte, a mode, a link count."""
    folder = tmp_path / "canary"
    folder.mkdir()
    (folder / "victim").write_bytes(b"alive")
    before = Layers.snapshot(folder)
    yield folder
    assert Layers.snapshot(folder) == before
    assert os.listdir(tmp_path) == ["canary"]


@pytest.mark.soak
def test_breakouts(layers: Any, canary: Path) -> None:
    corpus = list(cases(str(canary)))
    assert len(corpus) > 150
    if layers.format is LayerFormat.DIRECTORY and not SOAK:
        corpus = random.Random(8).sample(corpus, SAMPLE)
    wrong = {
        case.name: (expected, found)
        for case in corpus
        if (expected := wanted(case)) != (found := unpacked(layers, case))
    }
    assert wrong == {}


def wanted(case: Case) -> Tree | None:
    try:
        return model(case)
    except RefusedError:
        return None


def unpacked(layers: Any, case: Case) -> Tree | None:
    """What is there in the end; None when the archive was refused."""
    try:
        with merged(layers, *(packed(layers, entries) for entries in case.layers)) as root:
            return look(root)
    except Corrupt:
        return None


def packed(layers: Any, entries: tuple[Entry, ...]) -> bytes:
    return layers.archive(*(_member(layers, *entry) for entry in entries))


def _member(layers: Any, what: str, path: str, value: str) -> Any:
    if what == "dir":
        return layers.directory(path)
    if what == "symlink":
        return layers.symlink(path, value)
    if what == "link":
        return layers.link(path, value)
    if what == "hide":
        before, _, name = path.rpartition("/")
        return layers.member(f"{before}/.wh.{name}")
    if what == "opaque":
        return layers.member(f"{path}/.wh..wh..opq")
    return layers.member(path, value.encode())


def look(folder: Path) -> Tree:
    tree: Tree = {}
    for path in folder.iterdir():
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind == stat.S_IFDIR:
            tree[path.name] = look(path)
        elif kind == stat.S_IFLNK:
            tree[path.name] = ("symlink", os.readlink(path))
        else:
            tree[path.name] = ("file", path.read_text())
    return tree


@pytest.mark.soak
def test_renames_while_a_layer_is_unpacked(layers: Any, canary: Path) -> None:
    """D2: somebody exchanges directories for symlinks all the time; nobody should be able to."""
    if layers.format is LayerFormat.EROFS:
        pytest.skip("an image has no directories to be exchanged")
    members = [layers.directory(f"d{n}") for n in range(40)]
    members += [layers.member(f"d{n}/victim", b"x") for n in range(40)]
    data = layers.archive(*members)
    ended = threading.Event()
    exchanged = [0]

    def race() -> None:
        trap = layers.base / "trap"
        while not ended.is_set():
            # what is looked at may be finished, or thrown away, at any moment
            with suppress(OSError):
                for place in layers.base.glob("*.new/tree/d*"):
                    if not trap.is_symlink():  # the one before went with its layer
                        discard(trap)
                        trap.symlink_to(canary)
                    exchange(str(place), str(trap))
                    exchanged[0] += trap.is_dir() and not trap.is_symlink()
                    exchange(str(place), str(trap))

    racer = threading.Thread(target=race)
    racer.start()
    rounds = 0
    try:
        while rounds < RACES or exchanged[0] < EXCHANGES:
            rounds += 1
            # a layer that was disturbed may be refused
            with suppress(StackerError, OSError):
                discard(layers.build(data).path)
    finally:
        ended.set()
        racer.join()
    for left in layers.base.iterdir():
        discard(left)


def test_the_worker_is_shut_in(layers: Any, canary: Path) -> None:
    """What it may still do, seen from outside while it waits for its archive."""
    if layers.format is LayerFormat.EROFS:
        pytest.skip("made in this process, which creates no file of the archive")
    from stacker.drivers.images.directory.body import DirectoryBody
    from stacker.oci import tar

    target = layers.path(".layer")
    body = DirectoryBody(target, tar.Limits(), 1 << 20)
    try:
        body.feed(layers.archive(layers.directory("d"))[:512])
        worker = body._worker._process.pid
        children = Path(f"/proc/{worker}/task/{worker}/children")
        _until(lambda: children.read_text())
        maker = int(children.read_text())
        allowed = sum(1 << number for number in (0, 1, 3, 4, 21, 27, 31))
        for place in (Path(f"/proc/{pid}") for pid in (worker, maker)):
            lines = (place / "status").read_text().splitlines()
            status = dict(line.split(":\t", 1) for line in lines)
            assert status["NoNewPrivs"] == "1"
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == allowed
            assert os.readlink(place / "root") == f"{target}.new"
            # stdin, stdout, stderr, the folder, the nursery, and a pipe each way between the two
            _until(lambda fds=place / "fd": len(os.listdir(fds)) == 7)
    finally:
        body.discard()
    assert not target.exists()


def _until(condition: Any) -> None:
    for _ in range(2000):
        if condition():
            return
        ctypes.pythonapi.PyErr_CheckSignals()
        os.sched_yield()
        threading.Event().wait(0.005)
    raise AssertionError("never")
