"""When, where and as what the program runs: scheduler, I/O priority, CPUs, NUMA, personality."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root

# fields of /proc/<pid>/stat after the name (proc_pid_stat(5))
NICE, REAL_TIME_PRIORITY, POLICY = 16, 37, 38


def scheduling(stat: str) -> tuple[int, int, int]:
    """(policy, nice, priority)"""
    fields = stat[stat.rindex(")") + 2 :].split()
    return int(fields[POLICY]), int(fields[NICE]), int(fields[REAL_TIME_PRIORITY])


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ({"policy": "SCHED_OTHER", "nice": 7}, (0, 7, 0)),
        ({"policy": "SCHED_OTHER", "nice": -3}, (0, -3, 0)),
        ({"policy": "SCHED_BATCH", "nice": 4}, (3, 4, 0)),
        ({"policy": "SCHED_IDLE"}, (5, 0, 0)),
    ],
)
def test_the_scheduler(
    runtime: Runtime,
    bundle: Bundle,
    identity: str,
    scheduler: dict[str, Any],
    expected: tuple[int, int, int],
) -> None:
    path = bundle.write("/bin/cat", "/proc/self/stat", scheduler=scheduler)
    assert scheduling(runtime.ok("run", "--bundle", path, identity)) == expected


def real_time(policy: str) -> dict[str, Any]:
    if policy == "SCHED_DEADLINE":
        return {"policy": policy, "runtime": 10**6, "deadline": 10**7, "period": 10**7}
    return {"policy": policy, "priority": 5}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("SCHED_FIFO", (1, 0, 5)), ("SCHED_RR", (2, 0, 5)), ("SCHED_DEADLINE", (6, 0, 0))],
)
def test_real_time_or_an_error_that_names_it(
    runtime: Runtime, bundle: Bundle, identity: str, policy: str, expected: tuple[int, int, int]
) -> None:
    """A kernel with RT_GROUP_SCHED keeps real time from a cgroup that has no share of it."""
    path = bundle.write("/bin/cat", "/proc/self/stat", scheduler=real_time(policy))
    done = runtime.call("run", "--bundle", path, identity)
    if done.returncode == 0:
        assert scheduling(done.stdout) == expected
    else:
        assert f"process.scheduler: {policy}: operation not permitted" in done.stderr


def test_what_the_kernel_has_not_is_named(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    path = bundle.write("/bin/true", scheduler={"policy": "SCHED_ISO"})
    done = runtime.call("run", "--bundle", path, identity)
    assert done.returncode == 1
    assert "process.scheduler: SCHED_ISO: invalid argument" in done.stderr


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        ({"class": "IOPRIO_CLASS_RT", "priority": 2}, "realtime: prio 2"),
        ({"class": "IOPRIO_CLASS_BE", "priority": 6}, "best-effort: prio 6"),
        ({"class": "IOPRIO_CLASS_IDLE"}, "idle"),
    ],
)
def test_the_io_priority(
    runtime: Runtime, bundle: Bundle, identity: str, priority: dict[str, Any], expected: str
) -> None:
    path = bundle.write("/bin/busybox", "ionice", "-p", "1", ioPriority=priority)
    assert runtime.ok("run", "--bundle", path, identity).strip() == expected


def test_exec_has_the_containers_scheduling_and_its_own(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    last = str(max(os.sched_getaffinity(0)))
    path = bundle.write(
        "/bin/sleep", "100",
        scheduler={"policy": "SCHED_BATCH", "nice": 3},
        execCPUAffinity={"initial": "0", "final": last},
    )  # fmt: skip
    runtime.ok("run", "--detach", "--bundle", path, identity)
    script = "cat /proc/self/stat; grep Cpus_allowed_list /proc/self/status"
    seen = runtime.ok("exec", identity, "sh", "-c", script).splitlines()
    assert scheduling(seen[0]) == (3, 3, 0)
    assert seen[1].split()[1] == last
    pid = runtime.state(identity)["pid"]
    assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)
    process = {
        "args": ["/bin/sh", "-c", script],
        "cwd": "/",
        "scheduler": {"policy": "SCHED_IDLE"},
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE"},
        "execCPUAffinity": {"initial": "0"},
    }
    file = tmp_path / "process.json"
    file.write_text(json.dumps(process))
    seen = runtime.ok("exec", "--process", str(file), identity).splitlines()
    assert scheduling(seen[0])[0] == 5


def test_cpus_that_are_not_there_are_an_error(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    for field in ("initial", "final"):
        process = {"args": ["/bin/true"], "cwd": "/", "execCPUAffinity": {field: "8191"}}
        file = tmp_path / "process.json"
        file.write_text(json.dumps(process))
        done = runtime.call("exec", "--process", str(file), identity)
        assert done.returncode != 0
        assert f"process.execCPUAffinity.{field}: invalid argument" in done.stderr


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
         "interleave=static:0"),
        ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"),
        ({"mode": "MPOL_LOCAL"}, "local"),
    ],
)  # fmt: skip
def test_the_memory_policy(
    runtime: Runtime, bundle: Bundle, identity: str, policy: dict[str, Any], expected: str
) -> None:
    bundle.config["linux"]["memoryPolicy"] = policy
    path = bundle.write("/bin/head", "-n", "1", "/proc/self/numa_maps")
    done = runtime.call("run", "--bundle", path, identity)
    if not os.path.exists("/proc/self/numa_maps"):
        assert f"linux.memoryPolicy: {policy['mode']}: this kernel has no such" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == expected


def test_a_memory_node_that_is_not_there_is_an_error(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "1023"}
    done = runtime.call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    assert "linux.memoryPolicy: MPOL_BIND: " in done.stderr


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="has another 32-bit name")
def test_the_personality(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["linux"]["personality"] = {"domain": "LINUX32"}
    path = bundle.shell("busybox uname -m; exec sleep 100")
    with (bundle.path / "said").open("w") as said:
        runtime.ok("create", "--bundle", path, identity)
        runtime.ok("start", identity)
        said.write(runtime.ok("exec", identity, "busybox", "uname", "-m"))
    assert (bundle.path / "said").read_text() == "i686\n"


def test_resctrl_that_is_not_there_is_an_error(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    if " - resctrl " in Path("/proc/self/mountinfo").read_text():
        pytest.skip("this host has resctrl")
    bundle.config["linux"]["intelRdt"] = {"closID": "gold", "schemata": ["L3:0=f"]}
    done = runtime.call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    assert "linux.intelRdt: no resctrl file system is mounted on this host" in done.stderr


def test_the_callers_processors_are_not_the_containers(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    allowed = os.sched_getaffinity(0)
    one = min(allowed)
    path = bundle.write("/bin/grep", "Cpus_allowed_list", "/proc/self/status")
    seen = runtime.ok(
        "run", "--bundle", path, identity, preexec_fn=lambda: os.sched_setaffinity(0, {one})
    )
    assert (seen.split()[1] == str(one)) == (len(os.sched_getaffinity(1)) == 1)
