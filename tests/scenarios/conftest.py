"""A supervisor for each test, with the example's image, and nothing left behind afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import leaks
from tests.support.supervisor import IMAGE, REPOSITORY, Stacker


@pytest.fixture(scope="session")
def busybox_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    with path.open("wb") as file:
        subprocess.run(
            [sys.executable, REPOSITORY / "examples/busybox_image.py"], check=True, stdout=file
        )
    return path


@pytest.fixture
def stacker(busybox_tar: Path) -> Iterator[Stacker]:
    with a_stacker(busybox_tar) as stacker:
        yield stacker


@contextmanager
def a_stacker(busybox_tar: Path) -> Iterator[Stacker]:
    # short: a unix socket's path has no room for more than 107 bytes
    directory = Path(tempfile.mkdtemp(prefix="sk-", dir="/tmp"))
    stacker = Stacker(directory=directory)
    before = leaks.snapshot(str(directory), stacker.tag)
    try:
        stacker.ok(
            "import", "--change", "CMD sh", "--change", "ENV PATH=/bin", str(busybox_tar), IMAGE
        )
        yield stacker
    finally:
        stacker.end()
        log = stacker.run / "supervisor.log"
        if log.exists():
            sys.stderr.write(log.read_text()[-20_000:])
    leaks.assert_none(before, str(directory), stacker.tag)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def shared_stacker(busybox_tar: Path) -> Iterator[Stacker]:
    """One for all tests of a file: for those that leave it as they found it."""
    with a_stacker(busybox_tar) as stacker:
        yield stacker
