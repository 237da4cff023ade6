"""Where the hierarchies are, read from text as three kinds of hosts have it."""

from __future__ import annotations

import pytest

from runtime.cgroups.detect import parse_layout
from runtime.cgroups.paths import check_path, directories
from runtime.errors import SpecInvalid

V2_MOUNTS = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
50 31 0:32 /docker/x /srv/other\\040place rw - cgroup cgroup rw,memory"""
V1_MEMBERSHIPS = "9:name=systemd:/\n4:memory:/docker/x\n1:cpu,cpuacct:/\n"
HYBRID_MOUNTS = V1_MOUNTS + "\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"


def test_version_2_alone() -> None:
    layout = parse_layout(V2_MOUNTS, "0::/user.slice/session-1.scope")
    assert layout.mode == "v2"
    assert layout.unified is not None
    assert layout.unified.own_path == "/user.slice/session-1.scope"


def test_version_1_with_controllers_mounted_together() -> None:
    layout = parse_layout(V1_MOUNTS, V1_MEMBERSHIPS)
    assert layout.mode == "v1"
    assert [hierarchy.controllers for hierarchy in layout.legacy] == [
        ("cpu", "cpuacct"),
        ("memory",),
        ("name=systemd",),
    ]
    holder = layout.holder("cpuacct")
    assert holder is not None
    assert holder.mountpoint == "/sys/fs/cgroup/cpu,cpuacct"
    assert layout.holder("pids") is None


def test_hybrid_has_both() -> None:
    layout = parse_layout(HYBRID_MOUNTS, V1_MEMBERSHIPS + "0::/\n")
    assert layout.mode == "hybrid"
    legacy, unified = directories(layout, "/stack/web")
    assert legacy["memory"] == "/sys/fs/cgroup/memory/stack/web"
    assert legacy["cpu"] == legacy["cpuacct"]
    assert unified == "/sys/fs/cgroup/unified/stack/web"


def test_a_mount_of_a_subtree_is_seen_from_its_root() -> None:
    mounts = "35 31 0:32 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
    layout = parse_layout(mounts, "4:memory:/docker/x/y")
    assert layout.legacy[0].own_path == "/y"


def test_a_relative_path_starts_where_the_runtime_is() -> None:
    layout = parse_layout(HYBRID_MOUNTS, V1_MEMBERSHIPS + "0::/a/leaf\n")
    legacy, unified = directories(layout, "web")
    assert legacy["memory"] == "/sys/fs/cgroup/memory/docker/x/web"
    # beside the runtime: a cgroup with members cannot hand controllers down
    assert unified == "/sys/fs/cgroup/unified/a/web"


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/a/b", "/a/b"),
        ("a//./b/", "a/b"),
        ("/../../a", "/a"),
        ("../a", "a"),
        ("/a:b:c/d", "/a:b:c/d"),
    ],
)
def test_a_path_is_made_clean(path: str, clean: str) -> None:
    assert check_path(path) == clean


@pytest.mark.parametrize("path", ["", "/", "..", "/a/..", "a\0b", "a\nb", "x" * 256, "a.slice:b:c"])
def test_a_path_that_is_none(path: str) -> None:
    with pytest.raises(SpecInvalid, match=r"linux\.cgroupsPath"):
        check_path(path)
