"""The OCI runtime against runc and crun: one container with all that stacker gives it.

Wall time and processor time (the processes that were waited for), interleaved, in one run. Debian
12's crun refuses hosts with version 1 and 2 cgroups at once: it is started in a mount namespace,
made once, that hides the version 2 tree. Everything else is as a user has it.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from bench import REPOSITORY
from bundle import Bundle
from monitor import Monitor

from runtime.linux.namespaces import CLONE_NEWNS, setns

Cost = tuple[float, float]
"""Seconds of wall clock and of processor."""

INSTALLED = "packaging/stacker-runtime"
AT_ONCE = 200
HOLDERS = 20


class Cli:
    """A runtime on the command line."""

    def __init__(self, name: str, program: str, state: Path, namespace: int | None = None) -> None:
        self.name = name
        self._argv = [program, "--root", str(state)]
        self._namespace = namespace

    def __call__(self, *arguments: str) -> Cost:
        argv = [*self._argv, *arguments]
        before = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            try:
                self._become(argv)
            finally:
                os._exit(126)
        _, status, used = os.wait4(pid, 0)
        took = time.perf_counter() - before
        assert status == 0, (argv, status)
        return took, used.ru_utime + used.ru_stime

    def _become(self, argv: list[str]) -> None:
        if self._namespace is not None:
            setns(self._namespace, CLONE_NEWNS)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1):
            os.dup2(null, fd)
        os.execvp(argv[0], argv)


@contextmanager
def without_unified() -> Generator[int]:
    """A mount namespace without the version 2 tree of a hybrid host, by its fd."""
    hide = "[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified"
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", f"{hide}; echo made; read _"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"made\n"
    namespace = os.open(f"/proc/{holder.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield namespace
    finally:
        os.close(namespace)
        holder.communicate()


def installed(directory: Path) -> str:
    """packaging/stacker-runtime in an environment as pip makes it, its bytecode written."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = directory / "lib" / version / "site-packages"
    site.mkdir(parents=True)
    (directory / "bin").mkdir()
    (directory / "bin/python3").symlink_to(os.path.realpath(sys.executable))
    shutil.copytree(
        REPOSITORY / "runtime", site / "runtime", ignore=shutil.ignore_patterns("__pycache__")
    )
    script = directory / "bin/stacker-runtime"
    shutil.copy2(REPOSITORY / INSTALLED, script)
    python = os.path.realpath(sys.executable)
    subprocess.run([python, "-m", "compileall", "-q", str(site)], check=True)
    return str(script)


def medians(actions: dict[str, Callable[[], Cost]], runs: int) -> dict[str, Cost]:
    """In turns, after one round that is not counted."""
    seen: dict[str, list[Cost]] = {name: [] for name in actions}
    for _ in range(runs + 1):
        for name, action in actions.items():
            seen[name].append(action())
    return {
        name: (
            statistics.median(wall for wall, _ in costs[1:]),
            statistics.median(cpu for _, cpu in costs[1:]),
        )
        for name, costs in seen.items()
    }


def show(name: str, cost: Cost, compared: str = "") -> None:
    wall, cpu = cost
    print(f"{name:<44} {wall * 1e3:8.2f} ms   {cpu * 1e3:8.2f} ms of cpu   {compared}", flush=True)


def ratio(ours: Cost, name: str, theirs: Cost, limit: float) -> str:
    return (
        f"{ours[0] / theirs[0]:.2f} of {name} (cpu {ours[1] / theirs[1]:.2f}); at most {limit:.1f}"
    )


def lives(runtimes: list[Cli], monitor: Monitor, bundle: Bundle, runs: int) -> None:
    identity = f"sb-{os.getpid()}"
    bundle.write(identity, "/bin/true")
    warm_cpu: list[float] = []

    def warm() -> Cost:
        began, cpu = time.perf_counter(), monitor.cpu_s()
        monitor.start(bundle.directory, identity)
        monitor.wait(identity)
        monitor.delete(identity)
        took = time.perf_counter() - began
        warm_cpu.append(monitor.cpu_s() - cpu)
        monitor.forget(identity)
        return took, 0.0

    def cold(cli: Cli) -> Callable[[], Cost]:
        return lambda: cli("run", "--bundle", str(bundle.directory), identity)

    found = medians({"warm": warm, **{cli.name: cold(cli) for cli in runtimes}}, runs)
    # a clock of 10 ms ticks: one life of the monitor's children is too short for it, all are not
    warm_cost = (found["warm"][0], statistics.mean(warm_cpu[1:]))
    ours, runc, crun = found["stacker-runtime"], found.get("runc"), found.get("crun")
    print("\nrun: all namespaces, limits, seccomp, twelve mounts, /bin/true")
    for name, cost in found.items():
        if name not in ("warm", "stacker-runtime"):
            show(f"{name} run", cost)
    show("through the monitor", warm_cost)
    for name, theirs, limit in (("runc", runc, 0.6), ("crun", crun, 1.0)):
        if theirs is not None:
            print(f"{'':<44} {ratio(warm_cost, name, theirs, limit)}")
    show("stacker-runtime run", ours, ratio(ours, "runc", runc, 1.0) if runc else "")


def one_by_one(runtimes: list[Cli], bundle: Bundle, runs: int) -> None:
    identity = f"sb-{os.getpid()}"
    bundle.write(identity, "/bin/true")
    parts: dict[str, dict[str, list[Cost]]] = {cli.name: {} for cli in runtimes}

    def life(cli: Cli) -> Callable[[], Cost]:
        def four() -> Cost:
            costs: list[Cost] = []
            pid_file = bundle.directory.with_name("pid")
            for verb, *more in (
                ("create", "--bundle", str(bundle.directory), "--pid-file", str(pid_file)),
                ("start",),
                ("state",),
                ("delete",),
            ):
                if verb == "delete":
                    os.waitpid(int(pid_file.read_text()), 0)
                cost = cli(verb, *more, identity)
                parts[cli.name].setdefault(verb, []).append(cost)
                costs.append(cost)
            return sum(wall for wall, _ in costs), sum(cpu for _, cpu in costs)

        return four

    found = medians({cli.name: life(cli) for cli in runtimes}, runs)
    print("\ncreate, start, state, delete, each from the command line")
    for cli in runtimes:
        costs = parts[cli.name]
        texts = [
            f"{verb} {statistics.median(wall for wall, _ in costs[verb][1:]) * 1e3:.1f}"
            for verb in costs
        ]
        show(f"{cli.name}: {', '.join(texts)}", found[cli.name])
    if "runc" in found:
        print(f"{'':<44} {ratio(found['stacker-runtime'], 'runc', found['runc'], 1.0)}")


def memory(monitor: Monitor, bundle: Bundle) -> None:
    names = [f"sb-{os.getpid()}-{index}" for index in range(2 * HOLDERS)]
    figures: list[int] = []
    for index, name in enumerate(names):
        bundle.write(name, "/bin/sleep", "1000")
        monitor.start(bundle.directory, name)
        if index + 1 in (HOLDERS, 2 * HOLDERS):
            figures.append(monitor.pss_kb())
    for name in names:
        monitor.delete(name)
        monitor.forget(name)
    each = (figures[1] - figures[0]) / HOLDERS / 1024
    print(f"\nmemory of one more container in the monitor   {each:.3f} MB PSS   at most 0.1")


def at_once(monitor: Monitor, bundle: Bundle) -> None:
    names = [f"sb-{os.getpid()}-{index}" for index in range(AT_ONCE)]
    bundles = {name: bundle.copy(name) for name in names}
    began, cpu = time.perf_counter(), monitor.cpu_s()
    monitor.start_at_once(bundles)
    running = time.perf_counter()
    monitor.delete_at_once(names)
    ended = time.perf_counter()
    left = [path for name in names for path in Path("/sys/fs/cgroup").glob(f"*/{name}")]
    assert not left, left
    print(
        f"{AT_ONCE} containers at once: created and started in {running - began:.2f} s, deleted in "
        f"{ended - running:.2f} s, {monitor.cpu_s() - cpu:.2f} s of cpu; none failed, none is left"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20, help="counted runs (%(default)s)")
    runs = parser.parse_args().n
    # children of a runtime that ends come to us, as they come to a caller like conmon
    from runtime.linux.process import set_child_subreaper

    set_child_subreaper(True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    directory = Path(tempfile.mkdtemp(prefix="sb-", dir="/dev/shm"))
    try:
        with without_unified() as namespace:
            bundle = Bundle(directory / "bundle")
            runtimes = [Cli("stacker-runtime", installed(directory / "venv"), directory / "ours")]
            if shutil.which("runc"):
                runtimes.append(Cli("runc", "runc", directory / "runc"))
            if shutil.which("crun"):
                runtimes.append(Cli("crun", "crun", directory / "crun", namespace))
            monitor = Monitor(directory / "monitor")
            lives(runtimes, monitor, bundle, runs)
            one_by_one(runtimes, bundle, runs)
            memory(monitor, bundle)
            at_once(monitor, bundle)
            monitor.end()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
