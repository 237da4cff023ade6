"""What the benchmarks share: a stacker of their own, medians, tables.

The commands are timed as they are installed: by a script of their own (``packaging/stacker``) and
with their bytecode cached, which a benchmark that is run from a working copy has to see to.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.supervisor import IMAGE, REPOSITORY, Stacker, eventually


class Installed(Stacker):
    """Runs the command as an installed package has it; its run directory is in memory, as /run."""

    @property
    def run(self) -> Path:
        return Path("/dev/shm", self.directory.name)

    @property
    def program(self) -> Path:
        return self.directory / "stacker"

    def command(self, *args: str) -> list[str]:
        return [str(self.program), *args]

    def env(self) -> dict[str, str]:
        env = {**super().env(), "PYTHONPYCACHEPREFIX": str(self.directory / "bytecode")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return env

    def install(self) -> None:
        script = (REPOSITORY / "packaging/stacker").read_text()
        self.program.write_text(script.replace("#!python", f"#!{sys.executable}", 1))
        self.program.chmod(0o755)


@contextmanager
def own_stacker() -> Generator[Stacker]:
    """A stacker under a temporary directory, with the example's image."""
    directory = Path(tempfile.mkdtemp(prefix="sb-", dir="/tmp"))
    stacker = Installed(directory=directory)
    stacker.install()
    tar = directory / "busybox.tar"
    with tar.open("wb") as file:
        subprocess.run(
            [sys.executable, REPOSITORY / "examples/busybox_image.py"], check=True, stdout=file
        )
    stacker.ok("import", "--change", "CMD sh", "--change", "ENV PATH=/bin", str(tar), IMAGE)
    try:
        yield stacker
    finally:
        stacker.end()
        for left in (stacker.run, directory):
            shutil.rmtree(left, ignore_errors=True)


def stack_of(count: int, *, name: str = "bench") -> str:
    """A Compose file of so many busybox containers on one network."""
    services = "".join(
        f"  s{n}:\n    image: {IMAGE}\n    command: [sleep, infinity]\n    stop_grace_period: 0s\n"
        for n in range(count)
    )
    return f"name: {name}\nservices:\n{services}"


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def median_of(action: Callable[[], float], runs: int) -> tuple[float, float, float]:
    """Return median, least and largest of so many runs, after one that is not counted."""
    action()
    values = [action() for _ in range(runs)]
    return statistics.median(values), min(values), max(values)


def medians_of(
    actions: dict[str, Callable[[], float]], runs: int
) -> dict[str, tuple[float, float, float]]:
    """The same for several, in turns, so that what else the machine does meets all of them."""
    values: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(runs + 1):
        for name, action in actions.items():
            values[name].append(action())
    return {
        name: (statistics.median(taken[1:]), min(taken[1:]), max(taken[1:]))
        for name, taken in values.items()
    }


def row(
    name: str, measured: tuple[float, float, float], *, unit: str = "s", limit: str = ""
) -> None:
    median, least, largest = measured
    print(f"{name:<44} {median:9.3f} {unit}   [{least:.3f}-{largest:.3f}]   {limit}", flush=True)


__all__ = [
    "IMAGE",
    "REPOSITORY",
    "Stacker",
    "eventually",
    "median_of",
    "medians_of",
    "own_stacker",
    "row",
    "stack_of",
    "timed",
]
