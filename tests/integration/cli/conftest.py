"""A supervisor over an engine in memory, and the command line as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from stacker.client import session

REPOSITORY = Path(__file__).parents[3]


class World:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.place = session.Place(root=str(directory / "root"), run=str(directory / "run"))
        self.shop = directory / "shop"
        self.shop.mkdir()
        self.supervisor: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "STACKER_ROOT": self.place.root,
            "STACKER_RUN": self.place.run,
            "NO_COLOR": "1",
        }

    def start_supervisor(self) -> None:
        self.supervisor = subprocess.Popen(
            [sys.executable, REPOSITORY / "tests/fakes/supervisor.py"], env=self.environment
        )
        until(lambda: session.is_running(self.place))

    def end_supervisor(self) -> None:
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.supervisor.terminate()
            self.supervisor.wait(10)

    def popen(self, *words: str, **more: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "stacker", *words],
            cwd=self.shop,
            env=self.environment,
            **more,  # type: ignore[call-overload]
        )

    def __call__(self, *words: str, stdin: bytes = b"") -> tuple[int, str, str]:
        process = self.popen(
            *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = process.communicate(stdin, timeout=20)
        assert b"Traceback" not in err, err.decode()
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def until(condition: Callable[[], object], *, within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    made = World(tmp_path)
    made.start_supervisor()
    yield made
    made.end_supervisor()
