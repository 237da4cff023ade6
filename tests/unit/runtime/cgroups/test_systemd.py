"""What a container is as a unit of systemd: names, places, properties."""

from __future__ import annotations

import pytest

from runtime.cgroups.detect import Hierarchy, Layout
from runtime.cgroups.systemd.properties import resource_properties, unit_properties
from runtime.cgroups.systemd.unit import SystemdPath, parse_systemd_path
from runtime.errors import SpecInvalid

NAMES = ("cpuset", "cpu", "memory", "pids")
V1 = Layout(
    legacy=tuple(
        Hierarchy(mountpoint="/c", controllers=(name,), version=1, own_path="/")
        for name in (*NAMES, "blkio")
    ),
    unified=None,
)
V2 = Layout(
    legacy=(),
    unified=Hierarchy(mountpoint="/c", controllers=(*NAMES, "io"), version=2, own_path="/"),
)
MAX = 2**64 - 1


def parsed(path: str) -> SystemdPath:
    return parse_systemd_path(path, "id", rootless=False)


@pytest.mark.parametrize(
    ("path", "directory"),
    [
        ("machine.slice:libpod:abc", "/machine.slice/libpod-abc.scope"),
        ("a-b-c.slice:p:n", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"),
        ("::abc", "/system.slice/abc.scope"),
        ("-.slice:p:n", "/p-n.scope"),
        ("::a-b.slice", "/a.slice/a-b.slice"),
        ("", "/system.slice/stacker-id.scope"),
    ],
)
def test_places(path: str, directory: str) -> None:
    assert parsed(path).directory == directory


def test_a_users_containers_are_in_the_users_slice() -> None:
    assert parse_systemd_path("::x", "x", rootless=True).slice == "user.slice"


@pytest.mark.parametrize(
    "path",
    [
        "/plain/path",
        "a:b",
        "a.slice:b:",
        "a:b:c",
        "a--b.slice:p:n",
        "-a.slice:p:n",
        "a-.slice:p:n",
        ".slice:p:n",
        "a/b.slice:p:n",
        "a.slice:p:n\n",
        "a.slice:p:" + "n" * 255,
        "a b.slice:p:n",
    ],
)
def test_names_that_are_none(path: str) -> None:
    with pytest.raises(SpecInvalid, match=r"linux\.cgroupsPath"):
        parsed(path)


def test_a_scope_is_delegated_and_holds_the_process() -> None:
    found = dict(unit_properties(parsed("a.slice:p:n"), "n", 42))
    assert found["Slice"].value == "a.slice"
    assert found["Delegate"].value is True
    assert (found["PIDs"].signature, found["PIDs"].value) == ("au", [42])
    assert "PIDs" not in dict(unit_properties(parsed("::x.slice"), "n", 42))


def values(layout: Layout, resources: dict[str, object]) -> list[tuple[str, object]]:
    return [(name, one.value) for name, one in resource_properties(layout, resources)]


@pytest.mark.parametrize(
    ("resources", "v1", "v2"),
    [
        (
            {"memory": {"limit": 100, "swap": 150, "reservation": 50}},
            [("MemoryLimit", 100)],
            [("MemoryMax", 100), ("MemoryLow", 50), ("MemorySwapMax", 50)],
        ),
        (
            {"memory": {"limit": -1, "swap": -1}},
            [("MemoryLimit", MAX)],
            [("MemoryMax", MAX), ("MemorySwapMax", MAX)],
        ),
        ({"cpu": {"shares": 1024}}, [("CPUShares", 1024)], [("CPUWeight", 100)]),
        (
            {"cpu": {"quota": 12345, "period": 100000}},
            *[[("CPUQuotaPeriodUSec", 100000), ("CPUQuotaPerSecUSec", 130000)]] * 2,
        ),
        ({"cpu": {"quota": -1}}, *[[("CPUQuotaPerSecUSec", MAX)]] * 2),
        (
            {"cpu": {"cpus": "0-2,9", "mems": "0"}},
            [],
            [("AllowedCPUs", b"\x07\x02"), ("AllowedMemoryNodes", b"\x01")],
        ),
        ({"pids": {"limit": 9}}, *[[("TasksMax", 9)]] * 2),
        ({"pids": {"limit": 0}}, *[[("TasksMax", 1)]] * 2),
        ({"pids": {"limit": -1}}, *[[("TasksMax", MAX)]] * 2),
        ({"blockIO": {"weight": 1000}}, [("BlockIOWeight", 1000)], [("IOWeight", 10000)]),
        (
            {"unified": {"memory.high": "5", "cpu.max": "max 50000", "pids.max": "max", "x": "1"}},
            *[
                [
                    ("MemoryHigh", 5),
                    ("CPUQuotaPeriodUSec", 50000),
                    ("CPUQuotaPerSecUSec", MAX),
                    ("TasksMax", MAX),
                ]
            ]
            * 2,
        ),
        ({}, [], []),
    ],
)
def test_resources_as_properties(
    resources: dict[str, object], v1: list[tuple[str, object]], v2: list[tuple[str, object]]
) -> None:
    assert values(V1, resources) == v1
    assert values(V2, resources) == v2


def test_devices_are_those_allowed() -> None:
    entries = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "b", "major": 8, "access": "r"},
    ]
    policy, empty, allowed = resource_properties(V2, {"devices": entries})
    assert (policy[0], policy[1].value) == ("DevicePolicy", "strict")
    assert empty[1].value == []
    assert {("/dev/char/10:229", "rw"), ("block-8", "r"), ("char-136", "mrw")} <= set(
        allowed[1].value
    )
    open_to_all = resource_properties(V2, {"devices": [{"allow": True, "access": "rwm"}]})
    assert [one.value for _, one in open_to_all] == ["auto", []]
