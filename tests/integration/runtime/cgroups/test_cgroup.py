"""A cgroup on this very host: limits that bite, processes that cannot escape the end."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.cgroups import paths
from runtime.cgroups.cgroup import Cgroup
from runtime.cgroups.detect import Layout, detect
from runtime.cgroups.open import open_cgroup
from runtime.errors import NotSupported, SpecInvalid, StateConflict
from runtime.linux import namespaces as ns
from runtime.linux.bpf import ATTACH_CGROUP_DEVICE, attached_programs

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

MEBIBYTE = 1 << 20
PARENT = f"/stacker-cgroups-{os.getpid()}"
NAME = "inner"


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    yield from held(open_cgroup(f"{PARENT}/{NAME}"))


@pytest.fixture(params=["version 1", "version 2", "both"])
def any_cgroup(request: pytest.FixtureRequest) -> Iterator[Cgroup]:
    """As on hosts of each kind: the other version's trees are not shown to the object."""
    found = detect()
    legacy = found.legacy if request.param != "version 2" else ()
    unified = found.unified if request.param != "version 1" else None
    layout = Layout(legacy=legacy, unified=unified)
    if (
        not (legacy or unified)
        or layout.mode != {"version 1": "v1", "version 2": "v2", "both": "hybrid"}[request.param]
    ):
        pytest.skip("this host has no such trees")
    directories, tree = paths.directories(layout, f"{PARENT}/{NAME}")
    yield from held(Cgroup(legacy=directories, unified=tree, layout=layout))


def held(made: Cgroup) -> Iterator[Cgroup]:
    made.create()
    yield made
    made.kill()
    made.remove()
    open_cgroup(PARENT).remove()
    assert not any(Path(directory).exists() for directory in made.directories)


def in_child(work: Callable[[], int], cgroup: Cgroup | None = None) -> int:
    """Fork, join, work, exit with what the work gave; never returns in the child."""
    pid = os.fork()
    if pid == 0:
        try:
            if cgroup is not None:
                cgroup.add_self()
            os._exit(work())
        finally:
            os._exit(99)
    return pid


def sleeper(cgroup: Cgroup) -> int:
    ready, tell = os.pipe()

    def work() -> int:
        os.write(tell, b"x")
        signal.pause()
        return 0

    pid = in_child(work, cgroup)
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    return pid


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def file_of(cgroup: Cgroup, controller: str, v1: str, v2: str) -> str:
    holder = detect().holder(controller)
    if holder is None:
        pytest.skip(f"this host has no {controller} controller")
    directory = cgroup.legacy[controller] if holder.version == 1 else cgroup.unified
    return Path(f"{directory}/{v1 if holder.version == 1 else v2}").read_text().strip()


def test_joins_every_hierarchy(cgroup: Cgroup) -> None:
    pid = sleeper(cgroup)
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    assert len({line.split(":", 2)[2] for line in lines}) == 1
    assert len(lines) == len(cgroup.directories)
    assert cgroup.pids() == [pid]
    cgroup.kill()
    assert status_of(pid) == -signal.SIGKILL


def test_limits_are_in_the_kernel(cgroup: Cgroup) -> None:
    assert (
        cgroup.apply(
            {
                "memory": {"limit": 64 * MEBIBYTE},
                "pids": {"limit": 9},
                "cpu": {"quota": 50_000, "period": 100_000, "cpus": "0"},
            }
        )
        == []
    )
    assert file_of(cgroup, "memory", "memory.limit_in_bytes", "memory.max") == str(64 * MEBIBYTE)
    assert file_of(cgroup, "pids", "pids.max", "pids.max") == "9"
    assert file_of(cgroup, "cpu", "cpu.cfs_quota_us", "cpu.max").startswith("50000")
    assert file_of(cgroup, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"


def test_memory_and_swap_move_up_and_down_in_any_order(cgroup: Cgroup) -> None:
    for limit in (64, 16, 256):
        sizes = {"limit": limit * MEBIBYTE, "swap": 2 * limit * MEBIBYTE}
        try:
            cgroup.apply({"memory": sizes})
        except NotSupported:
            pytest.skip("this host has no swap accounting")
        seen = file_of(cgroup, "memory", "memory.limit_in_bytes", "memory.max")
        assert seen == str(limit * MEBIBYTE)


def test_check_before_update_refuses_what_is_in_use(cgroup: Cgroup) -> None:
    pid = sleeper(cgroup)
    cgroup.apply({"memory": {"limit": 64 * MEBIBYTE}})
    with pytest.raises(SpecInvalid, match=r"memory\.limit: 1 is lower"):
        cgroup.apply({"memory": {"limit": 1, "checkBeforeUpdate": True}})
    cgroup.kill()
    status_of(pid)


def test_the_pids_limit_ends_a_fork_bomb(cgroup: Cgroup) -> None:
    cgroup.apply({"pids": {"limit": 3}})

    def work() -> int:
        for made in range(5):
            try:
                if os.fork() == 0:
                    signal.pause()
            except OSError as error:
                return made if error.errno == errno.EAGAIN else 98
        return 97

    assert status_of(in_child(work, cgroup)) == 2


def test_devices_are_denied_and_allowed(cgroup: Cgroup, tmp_path: Path) -> None:
    cgroup.apply({"devices": [{"allow": False, "access": "rwm"}]})
    node = tmp_path / "kmsg"
    os.mknod(node, 0o20600, os.makedev(1, 11))

    def work() -> int:
        os.close(os.open("/dev/null", os.O_RDWR))
        try:
            os.open(node, os.O_RDONLY)
        except PermissionError:
            return 0
        return 1

    assert status_of(in_child(work, cgroup)) == 0


def test_the_device_program_is_attached_and_replaced(cgroup: Cgroup, tmp_path: Path) -> None:
    """As on a host without the version 1 controller: it is hidden from the object."""
    if cgroup.unified is None:
        pytest.skip("this host has no version 2 tree")
    legacy = {name: path for name, path in cgroup.legacy.items() if name != "devices"}
    alone = Cgroup(legacy=legacy, unified=cgroup.unified, layout=detect())
    node = tmp_path / "kmsg"
    os.mknod(node, 0o20600, os.makedev(1, 11))

    def work() -> int:
        try:
            os.close(os.open(node, os.O_RDONLY))
        except PermissionError:
            os.close(os.open("/dev/null", os.O_RDWR))
            return 1
        return 0

    denied = {"allow": False, "access": "rwm"}
    allowed = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    descriptor = os.open(cgroup.unified, os.O_RDONLY)
    try:
        for rules, expected in (([denied], 1), ([denied, allowed], 0), ([denied], 1)):
            alone.apply({"devices": rules})
            assert len(attached_programs(descriptor, ATTACH_CGROUP_DEVICE)) == 1
            assert status_of(in_child(work, cgroup)) == expected
    finally:
        os.close(descriptor)


def test_freeze_holds_and_thaw_lets_go(any_cgroup: Cgroup) -> None:
    cgroup = any_cgroup
    ticks, tell = os.pipe()

    def work() -> int:
        while True:
            os.write(tell, b".")
            select.select([], [], [], 0.001)

    pid = in_child(work, cgroup)
    assert os.read(ticks, 1)
    cgroup.freeze()
    assert cgroup.is_frozen()
    while select.select([ticks], [], [], 0)[0]:
        os.read(ticks, 65536)
    assert not select.select([ticks], [], [], 0.05)[0]
    cgroup.thaw()
    assert not cgroup.is_frozen()
    assert select.select([ticks], [], [], 10)[0]
    cgroup.freeze()
    cgroup.kill()
    assert status_of(pid) == -signal.SIGKILL
    os.close(ticks)
    os.close(tell)


def test_kill_gets_processes_that_fork(any_cgroup: Cgroup) -> None:
    cgroup = any_cgroup

    def work() -> int:
        """A chain that never rests: each process makes the next one and ends, or waits."""
        for _ in range(10_000):
            if os.fork() == 0:
                os.setsid()
            elif os.getpid() % 4 == 0:
                signal.pause()
            else:
                os._exit(0)
        return 0

    pid = in_child(work, cgroup)
    deadline = time.monotonic() + 10
    while len(cgroup.pids()) < 5 and time.monotonic() < deadline:
        select.select([], [], [], 0.001)
    cgroup.kill()
    status_of(pid)
    while cgroup.pids() and time.monotonic() < deadline:
        select.select([], [], [], 0.001)
    assert cgroup.pids() == []


def test_remove_takes_what_the_container_made_below(any_cgroup: Cgroup) -> None:
    cgroup = any_cgroup
    for directory in cgroup.directories:
        Path(directory, "inner", "innermost").mkdir(parents=True)
    cgroup.remove()
    cgroup.remove()
    assert not any(Path(directory).exists() for directory in cgroup.directories)
    cgroup.create()


def test_a_cgroup_with_processes_is_not_taken_over(cgroup: Cgroup) -> None:
    pid = sleeper(cgroup)
    for path in (f"{PARENT}/{NAME}", PARENT):
        other = open_cgroup(path)
        with pytest.raises(StateConflict, match="has processes"):
            other.create()
        # whoever cleans up after the refusal harms nobody
        other.kill()
        other.remove()
    again = Cgroup.from_json(cgroup.to_json())
    assert again.pids() == [pid]
    again.kill()
    assert status_of(pid) == -signal.SIGKILL


def test_signals_reach_every_process(any_cgroup: Cgroup) -> None:
    pids = [sleeper(any_cgroup) for _ in range(3)]
    assert any_cgroup.pids() == sorted(pids)
    any_cgroup.signal(signal.SIGUSR1)
    assert [status_of(pid) for pid in pids] == [-signal.SIGUSR1] * 3
    assert not any_cgroup.is_frozen()


def test_controllers_of_version_2_are_handed_down(cgroup: Cgroup) -> None:
    holder = detect().holder("hugetlb")
    if holder is None or holder.version == 1 or cgroup.unified is None:
        pytest.skip("this host has no controller of version 2 that is known to be there")
    files = [path.name for path in Path(cgroup.unified).glob("hugetlb.*.max")]
    size = sorted(files)[0].split(".")[1]
    cgroup.apply({"hugepageLimits": [{"pageSize": size, "limit": 0}]})
    assert Path(cgroup.unified, f"hugetlb.{size}.max").read_text() == "0\n"


def test_a_missing_file_names_the_field(cgroup: Cgroup) -> None:
    if cgroup.unified is None:
        pytest.skip("this host has no version 2 tree")
    with pytest.raises(NotSupported, match=r"linux\.resources\.unified\.no\.such"):
        cgroup.apply({"unified": {"no.such": "1"}})


def test_in_its_own_namespace_a_container_sees_itself_as_the_root(cgroup: Cgroup) -> None:
    def work() -> int:
        ns.unshare(ns.CLONE_NEWCGROUP)
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        return 0 if all(line.endswith(":/") for line in lines) else 1

    assert status_of(in_child(work, cgroup)) == 0
    kinds = [mount.kind for mount in cgroup.mounts(private=True)]
    assert ("tmpfs" in kinds) == bool(detect().legacy)


def test_a_frozen_cgroup_is_refused(cgroup: Cgroup) -> None:
    """Whoever is put in would never come to run, and would be waited for."""
    cgroup.freeze()
    other = open_cgroup(f"{PARENT}/{NAME}")
    with pytest.raises(StateConflict, match="container's cgroup unexpectedly frozen"):
        other.create()
    other.remove()
    assert cgroup.is_frozen()
    cgroup.thaw()
