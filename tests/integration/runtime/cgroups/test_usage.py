"""What a container uses is counted, and lack of memory is told, by this very kernel."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from runtime.cgroups.cgroup import Cgroup
from runtime.cgroups.detect import detect
from runtime.cgroups.oom import OomWatch, watch_oom
from runtime.cgroups.open import open_cgroup
from runtime.cgroups.stats import read_stats

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

MEBIBYTE = 1 << 20
DEADLINE_MS = 20_000


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    made = open_cgroup(f"/stacker-usage-{os.getpid()}")
    made.create()
    yield made
    made.kill()
    made.remove()


def burn() -> None:
    # os.times counts whole ticks, of which a busy machine gives parts
    while time.process_time() < 0.05:
        sum(range(10_000))


def grow() -> None:
    held = [bytearray(MEBIBYTE) for _ in range(256)]
    os._exit(len(held) % 2)


def run_in(cgroup: Cgroup, work) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            cgroup.add_self()
            work()
            os._exit(0)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wake(watch: OomWatch) -> int:
    poll = select.poll()
    poll.register(watch.fd, select.POLLIN)
    assert poll.poll(DEADLINE_MS), "nothing was told"
    return watch.take()


def test_time_and_memory_are_counted(cgroup: Cgroup) -> None:
    cgroup.apply({"memory": {"limit": 64 * MEBIBYTE}, "pids": {"limit": 7}})
    assert run_in(cgroup, burn) == 0
    stats = read_stats(cgroup)
    usage = stats["cpu"]["usage"]
    assert usage["total"] >= 40_000_000
    assert 0 < usage["user"] <= usage["total"] * 1.1
    assert stats["memory"]["usage"]["limit"] == 64 * MEBIBYTE
    assert stats["pids"] == {"current": 0, "limit": 7}


def test_out_of_memory_is_told_and_so_is_the_end(cgroup: Cgroup) -> None:
    if detect().holder("memory") is None:
        pytest.skip("this host has no memory controller")
    cgroup.apply({"memory": {"limit": 16 * MEBIBYTE}})
    # in version 2 a cgroup without a process is at its end
    bystander = subprocess.Popen(["sleep", "1000"])
    cgroup.add(bystander.pid)
    watch = watch_oom(cgroup)
    try:
        assert watch.take() == 0
        assert not watch.ended
        assert run_in(cgroup, grow) == -signal.SIGKILL
        told = wake(watch)
        while not told:
            told = wake(watch)
        assert told >= 1
        bystander.kill()
        bystander.wait()
        cgroup.remove()
        while not watch.ended:
            wake(watch)
    finally:
        bystander.kill()
        bystander.wait()
        watch.close()
