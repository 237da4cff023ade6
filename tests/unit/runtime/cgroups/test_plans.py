"""Resources as files and values, for both versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cgroups import controllers
from runtime.cgroups.both import pids
from runtime.cgroups.detect import Hierarchy, Layout
from runtime.cgroups.v2.cpu import weight_of_shares
from runtime.cgroups.v2.unified import plan as plan_unified
from runtime.errors import NotSupported, SpecInvalid

MEBIBYTE = 1 << 20
V1_NAMES = ("cpuset", "cpu", "memory", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma")
V2_NAMES = ("cpuset", "cpu", "memory", "pids", "io", "hugetlb", "rdma")


def hierarchy(version: int, *names: str) -> Hierarchy:
    return Hierarchy(mountpoint="/c", controllers=names, version=version, own_path="/")


V1 = Layout(legacy=tuple(hierarchy(1, name) for name in V1_NAMES), unified=None)
V2 = Layout(legacy=(), unified=hierarchy(2, *V2_NAMES))


def written(layout: Layout, resources: dict[str, object]) -> list[tuple[str, str]]:
    return [
        (item.file, item.value)
        for _, _, writes in controllers.plan(layout, resources)
        for item in writes
    ]


CASES: list[tuple[dict[str, object], list[tuple[str, str]], list[tuple[str, str]]]] = [
    (
        {"memory": {"limit": 64 * MEBIBYTE, "swap": 96 * MEBIBYTE, "reservation": MEBIBYTE}},
        [
            ("memory.limit_in_bytes", "67108864"),
            ("memory.memsw.limit_in_bytes", "100663296"),
            ("memory.soft_limit_in_bytes", "1048576"),
        ],
        [
            ("memory.max", "67108864"),
            ("memory.swap.max", "33554432"),
            ("memory.low", "1048576"),
        ],
    ),
    (
        {"memory": {"limit": -1, "swap": -1}},
        [("memory.limit_in_bytes", "-1"), ("memory.memsw.limit_in_bytes", "-1")],
        [("memory.max", "max"), ("memory.swap.max", "max")],
    ),
    (
        {"cpu": {"shares": 1024, "quota": 50000, "period": 100000, "burst": 0, "idle": 1}},
        [
            ("cpu.idle", "1"),
            ("cpu.cfs_period_us", "100000"),
            ("cpu.cfs_quota_us", "50000"),
            ("cpu.cfs_burst_us", "0"),
        ],
        [
            ("cpu.idle", "1"),
            ("cpu.max", "50000 100000"),
            ("cpu.max.burst", "0"),
        ],
    ),
    (
        {"cpu": {"shares": 1024, "idle": 0, "quota": 5000, "burst": 5000}},
        [
            ("cpu.idle", "0"),
            ("cpu.shares", "1024"),
            ("cpu.cfs_quota_us", "5000"),
            ("cpu.cfs_burst_us", "5000"),
        ],
        [
            ("cpu.idle", "0"),
            ("cpu.weight", "100"),
            ("cpu.max", "5000"),
            ("cpu.max.burst", "5000"),
        ],
    ),
    ({"cpu": {"quota": -1}}, [("cpu.cfs_quota_us", "-1")], [("cpu.max", "max")]),
    ({"cpu": {"period": 50000}}, [("cpu.cfs_period_us", "50000")], [("cpu.max", "50000")]),
    (
        {"memory": {"limit": -1}},
        [("memory.limit_in_bytes", "-1"), ("memory.memsw.limit_in_bytes", "-1")],
        [("memory.max", "max"), ("memory.swap.max", "max")],
    ),
    (
        {"memory": {"kernel": -1, "kernelTCP": -1, "disableOOMKiller": False}},
        [
            ("memory.kmem.limit_in_bytes", "-1"),
            ("memory.kmem.tcp.limit_in_bytes", "-1"),
            ("memory.oom_control", "0"),
        ],
        [],
    ),
    ({"pids": {"limit": 0}}, [("pids.max", "1")], [("pids.max", "1")]),
    ({"pids": {}}, [], []),
    (
        {"cpu": {"cpus": "0-1", "mems": "0"}},
        [("cpuset.cpus", "0-1"), ("cpuset.mems", "0")],
        [("cpuset.cpus", "0-1"), ("cpuset.mems", "0")],
    ),
    ({"pids": {"limit": 7}}, [("pids.max", "7")], [("pids.max", "7")]),
    ({"pids": {"limit": -1}}, [("pids.max", "max")], [("pids.max", "max")]),
    (
        {
            "blockIO": {
                "weight": 1000,
                "weightDevice": [{"major": 8, "minor": 0, "weight": 10}],
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 1, "rate": 0}],
            }
        },
        [
            ("blkio.weight", "1000"),
            ("blkio.weight_device", "8:0 10"),
            ("blkio.throttle.read_bps_device", "8:0 5"),
            ("blkio.throttle.write_iops_device", "8:1 0"),
        ],
        [
            ("io.bfq.weight", "default 1000"),
            ("io.bfq.weight", "8:0 10"),
            ("io.max", "8:0 rbps=5"),
            ("io.max", "8:1 wiops=max"),
        ],
    ),
    (
        {"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]},
        [("hugetlb.2MB.limit_in_bytes", "4"), ("hugetlb.2MB.rsvd.limit_in_bytes", "4")],
        [("hugetlb.2MB.max", "4"), ("hugetlb.2MB.rsvd.max", "4")],
    ),
    (
        {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10}}},
        [("rdma.max", "mlx5_1 hca_handle=3 hca_object=10")],
        [("rdma.max", "mlx5_1 hca_handle=3 hca_object=10")],
    ),
]


@pytest.mark.parametrize(("resources", "v1", "v2"), CASES)
def test_resources_as_files(
    resources: dict[str, object], v1: list[tuple[str, str]], v2: list[tuple[str, str]]
) -> None:
    assert written(V1, resources) == v1
    assert written(V2, resources) == v2


def test_io_weight_is_stretched_where_bfq_is_not() -> None:
    [(_, _, [write])] = controllers.plan(V2, {"blockIO": {"weight": 1000}})
    assert write.otherwise is not None
    assert (write.otherwise.file, write.otherwise.value) == ("io.weight", "default 10000")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("memory", "kernel", 5),
        ("memory", "kernelTCP", 5),
        ("memory", "swappiness", 0),
        ("memory", "disableOOMKiller", True),
        ("cpu", "realtimeRuntime", 5),
        ("cpu", "realtimePeriod", 5),
        ("blockIO", "leafWeight", 10),
    ],
)
def test_what_version_2_has_no_word_for_is_an_error(section: str, key: str, value: object) -> None:
    with pytest.raises(NotSupported, match=rf"linux\.resources\.{section}\.{key}"):
        controllers.plan(V2, {section: {key: value}})


def test_a_period_alone_leaves_the_quota_of_version_2() -> None:
    [(_, _, [write])] = controllers.plan(V2, {"cpu": {"period": 50000}})
    assert write.keeps_first


@pytest.mark.parametrize(
    ("version", "limit"), [("1.0.2-dev", -1), ("1.2.1", -1), ("1.3.0", 0), ("2.0", 0), ("x", 0)]
)
def test_a_pids_limit_of_0_was_none_before_1_3(version: str, limit: int) -> None:
    assert pids.as_of(version, {"pids": {"limit": 0}})["pids"]["limit"] == limit
    assert pids.as_of(version, {"pids": {"limit": 7}}) == {"pids": {"limit": 7}}


def test_network_is_for_version_1_only() -> None:
    network: dict[str, object] = {
        "network": {"classID": 7, "priorities": [{"name": "eth0", "priority": 3}]}
    }
    assert written(V1, network) == [("net_cls.classid", "7"), ("net_prio.ifpriomap", "eth0 3")]
    with pytest.raises(NotSupported, match="net_cls"):
        controllers.plan(V2, network)


def test_a_missing_controller_is_named_with_the_field() -> None:
    with pytest.raises(NotSupported, match=r"linux\.resources\.pids\.limit: .*no pids cgroup"):
        controllers.plan(Layout(legacy=(), unified=hierarchy(2)), {"pids": {"limit": 5}})


def test_no_limit_needs_no_controller() -> None:
    assert controllers.plan(Layout(legacy=(), unified=None), {"pids": {"limit": -1}}) == []


@pytest.mark.parametrize(
    "resources",
    [
        {"memory": {"limit": "64m"}},
        {"memory": {"limit": True}},
        {"memory": []},
        {"cpu": {"cpus": "0\n1"}},
        {"hugepageLimits": [{"pageSize": "../x", "limit": 1}]},
        {"hugepageLimits": {"pageSize": "2MB"}},
        {"rdma": {"a b": {"hcaHandles": 1}}},
        {"rdma": {"mlx5_1": {}}},
        {"blockIO": {"weightDevice": [{"minor": 0, "weight": 10}]}},
        {"blockIO": {"weight": 5}},
        {"memory": {"limit": 10, "swap": 5}},
        {"memory": {"useHierarchy": "yes"}},
        {"cpu": {"quota": 10, "burst": 20}},
    ],
)
def test_wrong_values_name_their_field(resources: dict[str, object]) -> None:
    for layout in (V1, V2):
        with pytest.raises(SpecInvalid, match=rf"linux\.resources\.{next(iter(resources))}"):
            controllers.plan(layout, resources)


def test_swap_below_the_memory_limit_is_refused() -> None:
    with pytest.raises(SpecInvalid, match="lower"):
        controllers.plan(V2, {"memory": {"limit": 10, "swap": 5}})


@pytest.mark.parametrize("name", ["cgroup.kill", "../cgroup.procs", "a/b", "", ".."])
def test_unified_cannot_steer_the_tree(name: str) -> None:
    with pytest.raises(SpecInvalid):
        plan_unified({"unified": {name: "1"}})


@given(st.integers(2, 262_144), st.integers(2, 262_144))
def test_weights_keep_the_order_of_shares(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 1 <= weight_of_shares(low) <= weight_of_shares(high) <= 10_000


def test_the_three_fixed_points_of_shares() -> None:
    assert [weight_of_shares(shares) for shares in (2, 1024, 262_144)] == [1, 100, 10_000]
