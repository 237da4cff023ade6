"""A supervisor process over an engine in memory, and a client for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stacker.client import session
from stacker.client.api import Supervisor

REPOSITORY = Path(__file__).parents[3]
PROGRAM = REPOSITORY / "tests/fakes/supervisor.py"


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    place: session.Place
    log: Path

    @property
    def client(self) -> Supervisor:
        return Supervisor(self.place.socket)

    def end(self, signum: int = signal.SIGTERM) -> int:
        self.process.send_signal(signum)
        return self.process.wait(10)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Start a supervisor; whatever runs at the end of the test is ended."""
    yield from starting(tmp_path)


@pytest.fixture
def supervisor(start: Start) -> Running:
    return started_with(start)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """One supervisor for all tests of a file that leave it as it was."""
    for start in starting(tmp_path_factory.mktemp("shared")):
        yield started_with(start)


def started_with(start: Start) -> Running:
    running = start()
    wait_for(lambda: session.is_running(running.place), running)
    return running


def starting(tmp_path: Path) -> Generator[Start]:
    started: list[Running] = []

    def run(*options: str, environment: dict[str, str] | None = None, **more: object) -> Running:
        place = session.Place(root=str(tmp_path / "root"), run=str(tmp_path / "run"))
        log = tmp_path / f"log{len(started)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, PROGRAM, "--root", place.root, "--run", place.run, *options],
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
                stdout=output,
                stderr=output,
                **more,  # type: ignore[call-overload]
            )
        running = Running(process, place, log)
        started.append(running)
        return running

    yield run
    for running in started:
        if running.process.poll() is None:
            running.end()


def wait_for(condition: Callable[[], object], running: Running, *, within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert running.process.poll() is None, running.log.read_text()
        assert time.monotonic() < deadline, running.log.read_text()
        time.sleep(0.01)
