"""The host is the one that these tests are for."""

from __future__ import annotations

import os
from pathlib import Path


def test_the_kernel_is_6_1() -> None:
    assert os.uname().release.startswith("6.1.")


def test_systemd_is_process_1() -> None:
    assert Path("/proc/1/comm").read_text().strip() == "systemd"
    assert Path("/run/systemd/system").is_dir()


def test_cgroups_are_version_2_and_nothing_else() -> None:
    types = {
        line.split(" - ", 1)[1].split()[0]
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    }
    assert "cgroup2" in types
    assert "cgroup" not in types
    controllers = Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    assert {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"} <= set(controllers)


def test_apparmor_is_on() -> None:
    assert Path("/sys/module/apparmor/parameters/enabled").read_text().strip() == "Y"
    assert "apparmor" in Path("/sys/kernel/security/lsm").read_text().split(",")
