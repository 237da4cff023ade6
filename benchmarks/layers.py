"""Unpacking a layer of 20,000 files: into an EROFS file, and into directories, against tar.

On tmpfs, where making a file costs least and the unpacker's own work shows. `tarfile` is Python's.
Processor time is of the unpacker and its children; on a machine that does other things it is
the steadier of the two.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from stacker.drivers.images.directory.body import DirectoryBody
from stacker.drivers.images.layer_body import Body, ErofsBody
from stacker.drivers.images.unpacked import discard
from stacker.oci import tar

RUNS = 7
DIRECTORIES, FILES = 1000, 20
LARGE = {"small files (4 KiB)": 8_000, "files as in a distribution (22 KiB)": 44_000}


def archive(path: Path, largest: int) -> None:
    """A thousand directories of twenty files."""
    random_ = random.Random(1)
    noise = random_.randbytes(2 * largest)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as out:
        for number in range(DIRECTORIES):
            made = tarfile.TarInfo(f"usr/share/directory-{number:04}")
            made.type, made.mode, made.mtime = tarfile.DIRTYPE, 0o755, 1_600_000_000
            out.addfile(made)
            for name in range(FILES):
                made = tarfile.TarInfo(f"usr/share/directory-{number:04}/file-{name}")
                made.size, made.mode = random_.randrange(largest), 0o644
                made.mtime = 1_600_000_000 + name
                out.addfile(made, BytesIO(noise[: made.size]))


def gnu_tar(source: Path, target: Path) -> None:
    target.mkdir()
    subprocess.run(["tar", "-xf", source, "-C", target], check=True)


def python_tarfile(source: Path, target: Path) -> None:
    with tarfile.open(source, "r:") as opened:
        opened.extractall(target)


def ours(make: Callable[[Path, tar.Limits, int], Body]) -> Callable[[Path, Path], None]:
    """What a pull does beside it, decompress and hash, is left out, as the others do neither."""

    def unpack(source: Path, target: Path) -> None:
        body = make(target, tar.Limits(), 1 << 40)
        with source.open("rb", buffering=0) as opened:
            while piece := opened.read(1 << 20):
                body.feed(piece)
        body.finish(bytes(16))

    return unpack


UNPACKERS: dict[str, Callable[[Path, Path], None]] = {
    "GNU tar": gnu_tar,
    "Python's tarfile": python_tarfile,
    "stacker, directory": ours(DirectoryBody),
    "stacker, erofs": ours(ErofsBody),
}


def cpu() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="stacker-bench-", dir="/dev/shm") as base:
        for title, largest in LARGE.items():
            source, target = Path(base, "layer.tar"), Path(base, "out")
            archive(source, largest)
            print(f"\n{title}, {source.stat().st_size >> 20} MiB of tar; median of {RUNS} runs\n")
            print(f"{'':20} {'s':>6} {'cpu s':>6}")
            seen: dict[str, list[tuple[float, float]]] = {name: [] for name in UNPACKERS}
            for _ in range(RUNS):
                for name, unpack in UNPACKERS.items():
                    started, used = time.perf_counter(), cpu()
                    unpack(source, target)
                    seen[name].append((time.perf_counter() - started, cpu() - used))
                    discard(target)
            for name, times in seen.items():
                wall, used = (statistics.median(each) for each in zip(*times, strict=True))
                print(f"{name:20} {wall:6.2f} {used:6.2f}")


if __name__ == "__main__":
    main()
