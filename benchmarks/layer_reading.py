"""Reading every file of a layer: from the mounted EROFS file, and from the unpacked directory.

Both lie on the same file system: of the root disk, a journalled ext4 on a loop device, and tmpfs.
Cold is with the machine's page cache dropped before, warm is right after it. The page cache that a
cold reading fills is the difference of ``Cached`` and ``Buffers`` in /proc/meminfo.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from layers import archive, ours

from stacker.base.errors import Unsupported
from stacker.drivers.images.directory.body import DirectoryBody
from stacker.drivers.images.layer_body import ErofsBody
from stacker.drivers.images.unpacked import discard
from stacker.drivers.mounts.context import unmount
from stacker.drivers.mounts.erofs import Method, mount_erofs

RUNS = 3
LARGEST = 22_000
_BUFFER = memoryview(bytearray(1 << 20))


def read_all(top: Path) -> None:
    """As a program does that is started from an image: by name, to the end."""
    for directory, _, names in os.walk(top):
        for name in names:
            fd = os.open(f"{directory}/{name}", os.O_RDONLY)
            while os.readv(fd, [_BUFFER]):
                pass
            os.close(fd)


def cached() -> int:
    """MiB of page cache."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(lines[key].split()[0]) for key in ("Cached", "Buffers")) >> 10


def timed(top: Path) -> float:
    started = time.perf_counter()
    read_all(top)
    return time.perf_counter() - started


@contextmanager
def mounted(image: Path, target: Path, method: Method) -> Generator[Path]:
    mount_erofs(image, target, [method])
    try:
        yield target
    finally:
        unmount(target)


@contextmanager
def directory_of(path: Path) -> Generator[Path]:
    yield path


@contextmanager
def journalled(base: Path) -> Generator[Path]:
    """An ext4 of its own, whose blocks are not cached a second time below."""
    file, target = base / "ext4.img", base / "ext4"
    with file.open("wb") as opened:
        opened.truncate(3 << 30)
    subprocess.run(["mkfs.ext4", "-q", file], check=True)
    attach = ["losetup", "--direct-io=on", "--find", "--show", file]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    try:
        target.mkdir()
        subprocess.run(["mount", device, target], check=True)
        try:
            yield target
        finally:
            unmount(target)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def measure(title: str, place: Path, source: Path) -> None:
    image, directory, target = place / "layer.erofs", place / "layer.dir", place / "mounted"
    target.mkdir()
    ours(ErofsBody)(source, image)
    ours(DirectoryBody)(source, directory)
    os.sync()
    print(f"\n{title}\n\n{'':24} {'cold s':>7} {'warm s':>7} {'cache MiB':>9}")
    ways = {"directory": lambda: directory_of(directory)}
    for method in Method:
        ways[f"erofs, {method.value}"] = lambda method=method: mounted(image, target, method)
    seen: dict[str, list[tuple[float, float, int]]] = {}
    for _ in range(RUNS):
        for name, opened in ways.items():
            Path("/proc/sys/vm/drop_caches").write_text("3")
            before = cached()
            try:
                with opened() as top:
                    cold, filled = timed(top), cached() - before
                    seen.setdefault(name, []).append((cold, timed(top), filled))
            except Unsupported:
                continue  # this file system cannot back such a mount
    for name, figures in seen.items():
        cold, warm, filled = (statistics.median(each) for each in zip(*figures, strict=True))
        print(f"{name:24} {cold:7.2f} {warm:7.2f} {filled:9.0f}")
    discard(directory)


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="stacker-bench-", dir="/dev/shm") as memory,
        tempfile.TemporaryDirectory(prefix="stacker-bench-", dir="/var/tmp") as disk,
    ):
        source = Path(memory, "layer.tar")
        archive(source, LARGEST)
        print(f"{source.stat().st_size >> 20} MiB of tar; median of {RUNS} runs")
        with tempfile.TemporaryDirectory(dir=memory) as place:
            measure("tmpfs", Path(place), source)
        with journalled(Path(disk)) as place:
            measure("journalled ext4", place, source)
        measure("root disk", Path(disk), source)


if __name__ == "__main__":
    main()
