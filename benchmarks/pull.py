"""Cold pulls: stacker, podman, docker and containerd in turns, against the floor, in one run.

All pull the same image from the same `docker-registry` on loopback, whose blobs lie in memory. For
every run a contender gets an empty state, its daemons are started, the page cache is dropped and
its programs are read again. It needs Debian's docker-registry, umoci, skopeo and debootstrap, and
who is to be compared: podman, docker.io with pigz, containerd. All of it happens in a network
namespace of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from account import Cost, account, drop_page_cache, machine_s, peak, peak_reset
from bench import REPOSITORY, eventually
from pull_contenders import CONTENDERS, Contender, Ready, missing
from pull_image import prepare

from tests.registries.debian import DebianRegistry, debian_registry

FLOOR = "floor"
INSIDE = "--inside-a-namespace"
LOOP_SIZE = "8G"


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the runs of one contender gave."""

    costs: list[Cost] = field(default_factory=list[Cost])
    durable_s: list[float] = field(default_factory=list[float])
    memory: list[int] = field(default_factory=list[int])
    """Bytes above idle."""

    def wall_s(self) -> float:
        return statistics.median(cost.wall_s for cost in self.costs)

    def cpu_s(self) -> float:
        return statistics.median(cost.cpu_s for cost in self.costs)

    def machine_s(self) -> float:
        return statistics.median(cost.machine_s for cost in self.costs)


def main() -> None:
    given = parse(sys.argv[1:])
    if not given.inside:
        enter = 'ip link set lo up && exec "$@"'
        again = [sys.executable, __file__, INSIDE, *sys.argv[1:]]
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", enter, "sh", *again])
    layout = prepare(given.cache) / given.compression
    with serving(layout) as registry, disk(given.on) as base:
        names = [name for name in given.only if not missing(name, given.compression)]
        seen = {name: Seen() for name in (FLOOR, *names)}
        for turn in range(given.runs + 1):
            for name, taken in seen.items():
                with tempfile.TemporaryDirectory(prefix="sp-", dir=base) as folder:
                    if name == FLOOR:
                        result = floor(registry.host, Path(folder))
                    else:
                        result = pull(CONTENDERS[name], registry.host, Path(folder))
                if turn:  # the first is not counted
                    taken.costs += result.costs
                    taken.durable_s += result.durable_s
                    taken.memory += result.memory
        table(seen, given)
        if "stacker" in names:
            with tempfile.TemporaryDirectory(prefix="sp-", dir=base) as folder:
                further(registry.host, Path(folder), given.runs)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cold pulls, against others and the floor.")
    parser.add_argument("--runs", type=int, default=5, help="counted ones, of each (%(default)s)")
    parser.add_argument("--compression", choices=("gzip", "zstd"), default="gzip")
    parser.add_argument(
        "--on",
        choices=("disk", "ext4", "tmpfs"),
        default="disk",
        help="where the states are: under /var/tmp, on a fresh ext4 in a file there, in memory",
    )
    parser.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache", "stacker-bench"),
        help="where the images are kept, which take minutes to make (%(default)s)",
    )
    parser.add_argument(INSIDE, action="store_true", dest="inside", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


@contextmanager
def serving(layout: Path) -> Generator[DebianRegistry]:
    """The registry, with both images in memory."""
    with (
        tempfile.TemporaryDirectory(prefix="sp-registry-", dir="/dev/shm") as folder,
        debian_registry(Path(folder, "registry")) as registry,
    ):
        for image in ("real", "other"):
            registry.skopeo(f"oci:{layout}:{image}", f"docker://{registry.host}/debian:{image}")
        yield registry


@contextmanager
def disk(kind: str) -> Generator[Path]:
    """Where the states of the contenders are."""
    parent = "/dev/shm" if kind == "tmpfs" else "/var/tmp"
    with ExitStack() as stack:
        base = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="sp-", dir=parent, ignore_cleanup_errors=True)
        )
        if kind != "ext4":
            yield Path(base)
            return
        image, mounted = Path(base, "ext4.img"), Path(base, "ext4")
        mounted.mkdir()
        subprocess.run(["truncate", "-s", LOOP_SIZE, image], check=True)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
        stack.callback(subprocess.run, ["umount", mounted], check=True)
        yield mounted


def floor(host: str, folder: Path) -> Seen:
    drop_page_cache()
    program = str(REPOSITORY / "benchmarks/pull_floor.py")
    before = machine_s()
    done = subprocess.run(
        [sys.executable, program, host, "debian", "real", str(folder)],
        check=True,
        capture_output=True,
    )
    took = json.loads(done.stdout)
    cost = Cost(wall_s=took["wall_s"], cpu_s=took["cpu_s"], machine_s=machine_s() - before)
    return Seen(costs=[cost], durable_s=[took["durable_s"]])


def pull(contender: Contender, host: str, folder: Path) -> Seen:
    with account("pull") as group, contender(folder, group) as ready:
        drop_page_cache()
        ready.warm()
        watched = ready.supervisor_pid
        idle = peak_reset(watched) if watched else 0
        cost = group.cost(*ready.pull, f"{host}/debian:real", env=ready.env)
        seen = Seen(costs=[cost], durable_s=[cost.wall_s + until_durable(ready, folder)])
        if watched:
            seen.memory.append(peak(watched) - idle)
        return seen


def until_durable(ready: Ready, folder: Path) -> float:
    began = time.perf_counter()
    if ready.settled is None:
        subprocess.run(["sync", "-f", str(folder)], check=True)
    else:
        eventually(ready.settled, what="the layers on the disk")
    return time.perf_counter() - began


def table(seen: dict[str, Seen], given: argparse.Namespace) -> None:
    peers = [seen[name] for name in ("podman", "docker") if name in seen]
    wall = min((peer.wall_s() for peer in peers), default=0.0)
    cpu = min((peer.cpu_s() for peer in peers), default=0.0)
    least = seen[FLOOR]
    print(f"\n{given.compression}, on {given.on}; median of {given.runs} runs")
    print(f"{'':24}{'wall s':>8}{'cpu s':>8}{'machine':>8}{'durable':>8}  ratios: wall, cpu, floor")
    for name, taken in seen.items():
        ratios = [taken.wall_s() / wall, taken.cpu_s() / cpu] if peers else []
        ratios.append(taken.wall_s() / least.wall_s())
        print(
            f"{name:24}{taken.wall_s():8.2f}{taken.cpu_s():8.2f}{taken.machine_s():8.2f}"
            f"{statistics.median(taken.durable_s):8.2f}  "
            + ", ".join(f"{ratio:.2f}" for ratio in ratios)
            + (f"; {max(taken.memory) / 1e6:.0f} MB above idle" if taken.memory else ""),
            flush=True,
        )
    print("(wall and cpu: of the faster of podman and docker; floor: of the floor's wall time)")


def further(host: str, folder: Path, runs: int) -> None:
    """A second image that shares layers, and an image that is there."""
    first, second = (f"{host}/debian:{image}" for image in ("real", "other"))
    with account("further") as group, CONTENDERS["stacker"](folder, group) as ready:
        group.run(*ready.pull, first, env=ready.env)
        group.run(*ready.pull, first, env=ready.env)
        present = [group.cost(*ready.pull, first, env=ready.env) for _ in range(runs)]
        shared = group.cost(*ready.pull, second, env=ready.env)
    print(f"pull of a present image: {statistics.median(c.wall_s for c in present) * 1e3:.0f} ms")
    print(
        f"a second image that shares four layers: {shared.wall_s:.2f} s, {shared.cpu_s:.2f} s cpu"
    )


if __name__ == "__main__":
    main()
