"""Text of the kernel as facts."""

from __future__ import annotations

import pytest

from stacker.drivers.host.cgroups import parse
from stacker.drivers.host.probe import kernel_version


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("6.1.0-18-amd64", (6, 1, 0)),
        ("5.10.209+", (5, 10, 209)),
        ("6.18", (6, 18, 0)),
        ("6.8.0-rc1", (6, 8, 0)),
        ("weird", (0, 0, 0)),
    ],
)
def test_kernel_versions(release: str, version: tuple[int, int, int]) -> None:
    assert kernel_version(release) == version


def test_hierarchies_of_three_kinds_of_hosts() -> None:
    v2 = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate"
    v1 = """\
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd"""
    assert (parse(v2).mode, parse(v1).mode, parse(f"{v1}\n{v2}").mode) == ("v2", "v1", "hybrid")
    assert set(parse(v1).legacy) == {"cpu", "io"}
