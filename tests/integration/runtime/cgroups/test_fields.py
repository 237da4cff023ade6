"""Each field of `linux.resources` as the kernel reads it back, set and then changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cgroups.cgroup import Cgroup
from runtime.cgroups.detect import detect
from runtime.cgroups.open import open_cgroup
from runtime.errors import KernelFault, NotSupported

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

MEBIBYTE = 1 << 20

# (controller, resources, {file of version 1: what is read}, {file of version 2: what is read})
FIELDS = [
    ("memory", {"memory": {"reservation": MEBIBYTE}},
     {"memory.soft_limit_in_bytes": "1048576"}, {"memory.low": "1048576"}),
    ("memory", {"memory": {"kernelTCP": MEBIBYTE}},
     {"memory.kmem.tcp.limit_in_bytes": "1048576"}, None),
    ("memory", {"memory": {"swappiness": 7}}, {"memory.swappiness": "7"}, None),
    ("memory", {"memory": {"disableOOMKiller": True}}, {"memory.oom_control": "1"}, None),
    ("memory", {"memory": {"limit": 32 * MEBIBYTE, "swap": 48 * MEBIBYTE}},
     {"memory.limit_in_bytes": "33554432", "memory.memsw.limit_in_bytes": "50331648"},
     {"memory.max": "33554432", "memory.swap.max": "16777216"}),
    ("cpu", {"cpu": {"shares": 512}}, {"cpu.shares": "512"}, {"cpu.weight": "59"}),
    ("cpu", {"cpu": {"quota": 40000, "period": 80000, "burst": 20000}},
     {"cpu.cfs_quota_us": "40000", "cpu.cfs_period_us": "80000", "cpu.cfs_burst_us": "20000"},
     {"cpu.max": "40000 80000", "cpu.max.burst": "20000"}),
    ("cpu", {"cpu": {"idle": 1, "shares": 512}}, {"cpu.idle": "1"}, {"cpu.idle": "1"}),
    ("cpuset", {"cpu": {"cpus": "0", "mems": "0"}},
     {"cpuset.cpus": "0", "cpuset.mems": "0"}, {"cpuset.cpus": "0", "cpuset.mems": "0"}),
    ("pids", {"pids": {"limit": 0}}, {"pids.max": "1"}, {"pids.max": "1"}),
    ("pids", {"pids": {"limit": -1}}, {"pids.max": "max"}, {"pids.max": "max"}),
    ("hugetlb", {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MEBIBYTE}]},
     {"hugetlb.2MB.limit_in_bytes": "4194304", "hugetlb.2MB.rsvd.limit_in_bytes": "4194304"},
     {"hugetlb.2MB.max": "4194304", "hugetlb.2MB.rsvd.max": "4194304"}),
]  # fmt: skip


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    made = open_cgroup(f"/stacker-fields-{os.getpid()}")
    made.create()
    yield made
    made.kill()
    made.remove()


@pytest.mark.parametrize(("controller", "resources", "v1", "v2"), FIELDS)
def test_a_field_is_in_the_kernel(
    cgroup: Cgroup,
    controller: str,
    resources: dict[str, object],
    v1: dict[str, str],
    v2: dict[str, str] | None,
) -> None:
    holder = detect().holder(controller)
    if holder is None:
        with pytest.raises(NotSupported, match=f"no {controller} cgroup controller"):
            cgroup.apply(resources)
        return
    expected = v1 if holder.version == 1 else v2
    if expected is None:
        with pytest.raises(NotSupported, match=r"linux\.resources\.memory"):
            cgroup.apply(resources)
        return
    directory = cgroup.legacy[controller] if holder.version == 1 else cgroup.unified
    cgroup.apply(resources)
    for file, value in expected.items():
        words = Path(f"{directory}/{file}").read_text().split()
        # memory.oom_control holds a word before the value
        assert value in (" ".join(words), *words[1:2])


def test_every_update_changes_only_what_it_names(cgroup: Cgroup) -> None:
    holder = detect().holder("cpu")
    if holder is None:
        pytest.skip("this host has no cpu controller")
    for cpu in (
        {"quota": 50_000, "period": 100_000, "burst": 40_000},
        {"quota": 20_000, "burst": 10_000},
        {"period": 50_000},
        {"quota": 200_000, "period": 400_000},
        {"idle": 1},
        {"idle": 0, "shares": 2048},
    ):
        cgroup.apply({"cpu": cpu})
    if holder.version == 1:
        place = cgroup.legacy["cpu"]
        files = ("cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us", "cpu.shares")
        seen = [Path(f"{place}/{file}").read_text().strip() for file in files]
        assert seen == ["200000", "400000", "10000", "2048"]
    else:
        assert Path(f"{cgroup.unified}/cpu.max").read_text() == "200000 400000\n"
        assert Path(f"{cgroup.unified}/cpu.max.burst").read_text() == "10000\n"


def test_a_memory_limit_below_what_is_in_use_says_what_is(cgroup: Cgroup) -> None:
    holder = detect().holder("memory")
    if holder is None or holder.version == 2:
        pytest.skip("only version 1 refuses it: version 2 frees what is too much")
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        cgroup.add_self()
        held = bytearray(16 * MEBIBYTE)
        os.write(tell, b"x" * (len(held) > 0))
        os.read(os.pipe()[0], 1)
    try:
        os.read(ready, 1)
        with pytest.raises(KernelFault, match=r"memory\.limit: .*busy \(in use: [0-9]+\)"):
            cgroup.apply({"memory": {"limit": MEBIBYTE}})
    finally:
        cgroup.kill()
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(tell)


def test_a_block_device_that_is_not_there_names_the_field(cgroup: Cgroup) -> None:
    absent = {"throttleReadBpsDevice": [{"major": 4095, "minor": 1, "rate": 5}]}
    with pytest.raises((KernelFault, NotSupported), match=r"blockIO\.throttleReadBpsDevice"):
        cgroup.apply({"blockIO": absent})
