"""The time namespace and `linux.timeOffsets`; and what the network namespace is given."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root
OFFSET_S = 1_000_000


@pytest.mark.differs(
    crun="1.8 fails at a time namespace with offsets", runc="1.1 has no time namespace"
)
def test_offsets(case: Case) -> None:
    """config-linux.md, "Offset for Time Namespace": seconds of both clocks of the namespace."""
    case.namespace("time")
    offset = {"secs": OFFSET_S, "nanosecs": 0}
    case.linux["timeOffsets"] = {"monotonic": offset, "boottime": offset}
    clocks = case.one("clocks")
    assert abs(clocks["monotonic"] - time.monotonic() - OFFSET_S) < 60
    assert abs(clocks["boottime"] - time.clock_gettime(time.CLOCK_BOOTTIME) - OFFSET_S) < 60


@pytest.fixture
def device() -> Iterator[str]:
    name, peer = "conf-veth0", "conf-veth1"
    subprocess.run(
        ["ip", "link", "add", name, "type", "veth", "peer", "name", peer], check=True, timeout=20
    )
    subprocess.run(["ip", "address", "add", "192.0.2.9/24", "dev", name], check=True, timeout=20)
    yield name
    # one that the container took along has ended with its namespace, and both with one
    subprocess.run(["ip", "link", "delete", peer], check=False, timeout=20, capture_output=True)


@pytest.mark.differs(crun="1.8 has no netDevices", runc="1.1 has no netDevices")
def test_a_network_device(case: Case, device: str) -> None:
    """config-linux.md, "Network Devices": moved into the container's namespace, and renamed."""
    case.linux["netDevices"] = {device: {"name": "inside0"}}
    case.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
    seen = case.see("list /sys/class/net", "read /proc/net/fib_trie")
    assert "inside0" in seen["list /sys/class/net"]
    assert "192.0.2.9" in seen["read /proc/net/fib_trie"]


@pytest.mark.differs(crun="1.8 has no netDevices", runc="1.1 has no netDevices")
def test_a_network_device_that_is_not_there_is_refused(case: Case) -> None:
    """config-linux.md, "Network Devices": an error in moving one is an error of `create`."""
    case.linux["netDevices"] = {"nosuch0": {}}
    case.refused()
