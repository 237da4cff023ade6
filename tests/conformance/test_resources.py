"""`linux.cgroupsPath` and `linux.resources`, read back from the host's cgroup files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.cgroups.detect import detect
from tests.conformance.conftest import Case, Config

Function = Callable[..., None]
pytestmark = pytest.mark.root
MIB = 1 << 20
HOLDERS = {
    name: tree.version
    for name in ("memory", "cpu", "cpuset", "pids", "blkio", "io", "freezer", "devices")
    if (tree := detect().holder(name)) is not None
}
"""The version of the hierarchy that a controller is in, on this host."""

_CRUN_WORDS = pytest.mark.differs(crun="1.8 reads the digits of a limit that is a string")


def value(case: Case, controller: str, file: str) -> str:
    """What a file of the container's cgroup holds, while it runs."""
    tree = detect().holder(controller)
    assert tree is not None
    return Path(f"{tree.mountpoint}/{case.identity}/{file}").read_text().strip()


def _crun_in_version_1(case: Function) -> Function:
    differs = pytest.mark.differs(crun="1.8 writes a limit of -1 as it is in version 1")
    return differs(case) if HOLDERS.get("pids") == 1 else case


def either(controller: str, one: object, two: object) -> object:
    """What holds where the controller is in version 1, or in version 2."""
    return one if HOLDERS[controller] == 1 else two


def wants(controller: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        controller not in HOLDERS, reason=f"this host has no {controller} controller"
    )


@wants("memory")
def test_memory_limit(case: Case) -> None:
    """config-linux.md, "Memory": `limit` in bytes."""
    case.limit(memory={"limit": 64 * MIB})
    case.start()
    file = either("memory", "memory.limit_in_bytes", "memory.max")
    assert value(case, "memory", str(file)) == str(64 * MIB)


@wants("memory")
def test_memory_reservation(case: Case) -> None:
    """config-linux.md, "Memory": `reservation` is the soft limit."""
    case.limit(memory={"limit": 64 * MIB, "reservation": 32 * MIB})
    case.start()
    file = either("memory", "memory.soft_limit_in_bytes", "memory.low")
    assert value(case, "memory", str(file)) == str(32 * MIB)


@wants("cpu")
def test_cpu_quota(case: Case) -> None:
    """config-linux.md, "CPU": `quota` and `period` in microseconds."""
    case.limit(cpu={"quota": 25_000, "period": 50_000})
    case.start()
    if HOLDERS["cpu"] == 1:
        assert value(case, "cpu", "cpu.cfs_quota_us") == "25000"
        assert value(case, "cpu", "cpu.cfs_period_us") == "50000"
    else:
        assert value(case, "cpu", "cpu.max") == "25000 50000"


@wants("cpu")
def test_cpu_shares(case: Case) -> None:
    """config-linux.md, "CPU": `shares` is a weight against other cgroups."""
    case.limit(cpu={"shares": 512})
    case.start()
    if HOLDERS["cpu"] == 1:
        assert value(case, "cpu", "cpu.shares") == "512"
    else:
        # how shares become weights is each runtime's own: less than the default is less
        assert 1 <= int(value(case, "cpu", "cpu.weight")) < 100


@wants("cpuset")
def test_cpuset(case: Case) -> None:
    """config-linux.md, "CPU": `cpus` and `mems` are lists of processors and memory nodes."""
    case.limit(cpu={"cpus": "0", "mems": "0"})
    assert case.one("affinity") == [0]


@wants("pids")
def test_pids(case: Case) -> None:
    """config-linux.md, "PIDs": `limit` is the most tasks."""
    case.limit(pids={"limit": 77})
    case.start()
    assert value(case, "pids", "pids.max") == "77"


@wants("pids")
@_crun_in_version_1
def test_no_limit_of_pids(case: Case) -> None:
    """config-linux.md, "PIDs": -1 is no limit."""
    case.limit(pids={"limit": -1})
    case.start()
    assert value(case, "pids", "pids.max") == "max"


@wants("pids")
def test_an_absolute_path(case: Case) -> None:
    """config-linux.md, "Cgroups Path": absolute is relative to the hierarchies' mount points."""
    case.start()
    assert value(case, "pids", "cgroup.procs")


@wants("pids")
def test_the_cgroup_goes_with_its_container(case: Case) -> None:
    """runtime.md, "Delete": the resources of `create` MUST be deleted."""
    pid = case.start()
    tree = detect().holder("pids")
    assert tree is not None
    folder = Path(f"{tree.mountpoint}/{case.identity}")
    assert folder.is_dir()
    case.runtime.ok("kill", case.identity, "KILL")
    case.reaped(pid)
    case.runtime.ok("delete", case.identity)
    assert not folder.exists()


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param({"memory": {"limit": "64m"}}, marks=_CRUN_WORDS),
        pytest.param({"pids": {"limit": "many"}}, marks=_CRUN_WORDS),
        {"cpu": {"cpus": "no list"}},
        {"memory": {"limit": 64 * MIB, "swap": MIB}},
    ],
)
def test_what_cannot_be_set_is_refused(case: Case, resources: Config) -> None:
    """config-linux.md, "Control groups": an error in setting them is an error of `create`."""
    case.limit(**resources)
    case.refused()


def test_update(case: Case) -> None:
    """runtime.md, "Operations": `update` of runc's command line changes a running container."""
    case.limit(pids={"limit": 77})
    case.start()
    case.runtime.ok("update", "--pids-limit", "99", case.identity)
    assert value(case, "pids", "pids.max") == "99"
