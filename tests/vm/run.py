"""`make vm-test`: boot a Debian 12 with systemd in QEMU, run the tests in it, and count them."""

from __future__ import annotations

import argparse
import io
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.vm import image
from tests.vm.machine import Late, Machine

RESULTS = image.REPOSITORY / ".vm-results"
STAGES = ("guest", "suites", "service", "rebooted")
DEADLINE_S = 30 * 60
TOLD = re.compile(r"(tests/\S+::.*?) (PASSED|FAILED|ERROR|SKIPPED)\b")
"""What `pytest -v` writes when a test has ended."""


class Tally:
    """What became of each test and each stage."""

    def __init__(self, expected: tuple[str, ...]) -> None:
        self._outcomes: dict[str, str] = {}
        self._missing = list(expected)
        self._broken: list[str] = []

    def hear(self, line: str) -> None:
        if found := TOLD.match(line):
            name, outcome = found.groups()
            # a test that passed may yet fail when it is cleaned up after
            if self._outcomes.get(name) not in ("FAILED", "ERROR"):
                self._outcomes[name] = outcome
        elif line.startswith("@ended "):
            _, stage, code, _ = line.split()
            self._missing.remove(stage)
            if code != "0":
                self._broken.append(f"{stage} (exit {code})")

    def tell(self) -> bool:
        """Print the sum, which is the last line; return whether all is well."""
        by = {word: self._with(word) for word in ("PASSED", "FAILED", "ERROR", "SKIPPED")}
        failed = by["FAILED"] + by["ERROR"]
        for name in failed:
            print("FAILED", name)
        stages = [f"{stage} (did not end)" for stage in self._missing]
        # tests that fail say so themselves; a stage without any is broken otherwise
        if self._broken and not failed:
            stages += self._broken
        for stage in stages:
            print("FAILED stage", stage)
        skipped = f", {len(by['SKIPPED'])} skipped" if by["SKIPPED"] else ""
        print(f"{len(by['PASSED'])} passed, {len(failed) + len(stages)} failed{skipped}")
        return not failed and not stages

    def _with(self, outcome: str) -> list[str]:
        return [name for name, became in self._outcomes.items() if became == outcome]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make vm-test", description=__doc__)
    parser.add_argument("tests", nargs="*", help="run these in the place of the usual suites")
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, help="seconds for it all")
    chosen = parser.parse_args()
    # QEMU would outlive us, and keep its copy of the disk
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    began = time.monotonic()
    made = image.prepare()
    tally = Tally(STAGES)
    with tempfile.TemporaryDirectory(prefix="stacker-vm-", dir="/var/tmp") as directory:
        source = Path(directory, "source.tar")
        _pack(source, chosen.tests)
        try:
            with Machine(made, source, Path(directory)) as machine:
                for line in machine.lines(began + chosen.deadline):
                    stamp = int(time.monotonic() - began)
                    print(f"[{stamp // 60:2}:{stamp % 60:02}] {line}", flush=True)
                    tally.hear(line)
        except Late:
            print(f"vm: it did not end within {chosen.deadline:.0f} s")
        _keep(Path(directory))
    print(f"vm: {time.monotonic() - began:.0f} s; logs and JUnit files are in {RESULTS}")
    return 0 if tally.tell() else 1


def _pack(target: Path, chosen: list[str]) -> None:
    """The working tree, as git sees it, with what has not been committed yet."""
    with tarfile.open(target, "w") as tar:
        for name in _files():
            tar.add(image.REPOSITORY / name, arcname=name, recursive=False)
        if chosen:
            text = "\n".join(chosen).encode()
            member = tarfile.TarInfo(".vm-tests")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))


def _files() -> Iterator[str]:
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=image.REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (image.REPOSITORY / name).exists():
            yield name


def _keep(directory: Path) -> None:
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir()
    console = directory / "console.log"
    if console.exists():
        shutil.copyfile(console, RESULTS / console.name)
    unpack = ("tar", "-x", "-C", str(RESULTS), "-f", str(directory / "results.tar"))
    subprocess.run(unpack, check=True)
    if not any(RESULTS.glob("*.xml")):
        print("vm: no results came back; the end of the console:")
        sys.stdout.write(console.read_text(errors="replace")[-4000:] + "\n")


if __name__ == "__main__":
    sys.exit(main())
