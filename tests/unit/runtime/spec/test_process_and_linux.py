"""The parts of `process` and `linux` that are words for the kernel's numbers."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import SpecInvalid
from runtime.spec.execution import MEMORY_FLAGS, MemoryPolicy
from runtime.spec.intel_rdt import IntelRdt
from runtime.spec.model import Spec, TimeOffset
from runtime.spec.net_devices import NetDevice, matches
from runtime.spec.number_list import parse_list
from runtime.spec.parse import parse_process, parse_spec
from runtime.spec.scheduling import POLICIES, CpuAffinity, IoPriority, Scheduler
from runtime.spec.validate import check_spec

KINDS = ("mount", "network", "time", "user")
MAPPING = {"containerID": 0, "hostID": 1000, "size": 10}


def parsed(*, process: dict[str, Any] | None = None, **linux: Any) -> Spec:
    mappings = {"uidMappings": [MAPPING], "gidMappings": [MAPPING]}
    spec = parse_spec(
        {
            "ociVersion": "1.3.0",
            "root": {"path": "rootfs"},
            "process": {"args": ["x"], "cwd": "/", **(process or {})},
            "linux": {"namespaces": [{"type": kind} for kind in KINDS], **mappings, **linux},
        }
    )
    check_spec(spec)
    return spec


def refusal(*, process: dict[str, Any] | None = None, **linux: Any) -> str:
    with pytest.raises(SpecInvalid) as caught:
        parsed(process=process, **linux)
    return str(caught.value)


def test_scheduling_is_read() -> None:
    process = parse_process(
        {
            "args": ["x"],
            "cwd": "/",
            "scheduler": {
                "policy": "SCHED_DEADLINE",
                "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"],
                "runtime": 10_000_000,
                "deadline": 20_000_000,
                "period": 30_000_000,
            },
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6},
            "execCPUAffinity": {"initial": "0-1", "final": "3, 1"},
        }
    )
    assert process.scheduler == Scheduler(
        policy="SCHED_DEADLINE", flags=5, runtime=10**7, deadline=2 * 10**7, period=3 * 10**7
    )
    assert process.io_priority == IoPriority(io_class="IOPRIO_CLASS_BE", level=6)
    assert process.exec_cpu_affinity == CpuAffinity(initial=(0, 1), final=(1, 3))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"scheduler": {}}, "process.scheduler.policy: missing"),
        ({"scheduler": {"policy": "SCHED_X"}}, "process.scheduler.policy: 'SCHED_X' is not one of"),
        ({"scheduler": {"policy": "SCHED_OTHER", "nice": 20}}, "process.scheduler.nice: 20 is not"),
        ({"scheduler": {"policy": "SCHED_OTHER", "priority": 1}}, "priority: has no meaning with"),
        ({"scheduler": {"policy": "SCHED_FIFO"}}, "process.scheduler.priority: 0 is not between 1"),
        ({"scheduler": {"policy": "SCHED_FIFO", "nice": 1}}, "nice: has no meaning with SCHED_FIF"),
        ({"scheduler": {"policy": "SCHED_IDLE", "period": 1}}, "period: has no meaning with SCHED"),
        ({"scheduler": {"policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_RESET_ON_FORK", "x"]}},
         "process.scheduler.flags[1]: 'x' is not a scheduler flag"),
        ({"ioPriority": {"class": "BE"}}, "process.ioPriority.class: 'BE' is not one of"),
        ({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}}, "process.ioPriority.priorit"),
        ({"execCPUAffinity": {"final": "1-"}}, "process.execCPUAffinity.final: '1-' is not"),
        ({"execCPUAffinity": {"initial": "3-1"}}, "process.execCPUAffinity.initial: 3-1 runs back"),
        ({"execCPUAffinity": {"initial": "8192"}}, "process.execCPUAffinity.initial: '8192' is no"),
    ],
)  # fmt: skip
def test_a_wrong_field_of_process_is_named(part: dict[str, Any], message: str) -> None:
    assert message in refusal(process=part)


def test_every_policy_has_the_kernels_number() -> None:
    assert [POLICIES[name] for name in ("SCHED_OTHER", "SCHED_RR", "SCHED_DEADLINE")] == [0, 2, 6]


def test_linux_is_read() -> None:
    linux = parsed(
        timeOffsets={"boottime": {"secs": -5, "nanosecs": 6}, "monotonic": {"secs": 7}},
        netDevices={"eth0": {"name": "c0"}, "eth1": {}, "eth2": {"name": "d%d"}},
        personality={"domain": "LINUX32"},
        memoryPolicy={"mode": "MPOL_BIND", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]},
        intelRdt={
            "closID": "gold",
            "l3CacheSchema": "MB:0=20\nL3:0=f",
            "memBwSchema": "MB:0=30",
            "schemata": ["L2:0=f"],
            "enableMonitoring": True,
        },
    ).linux
    assert linux.time_offsets == (
        TimeOffset(clock="boottime", secs=-5, nanosecs=6),
        TimeOffset(clock="monotonic", secs=7),
    )
    assert linux.net_devices == (
        NetDevice(host_name="eth0", name="c0"),
        NetDevice(host_name="eth1", name="eth1"),
        NetDevice(host_name="eth2", name="d%d"),
    )
    assert linux.personality == 8
    flags = MEMORY_FLAGS["MPOL_F_STATIC_NODES"]
    assert linux.memory_policy == MemoryPolicy(mode="MPOL_BIND", flags=flags, nodes=(0, 1))
    assert linux.intel_rdt == IntelRdt(
        clos_id="gold", schemata=("L3:0=f", "MB:0=30", "L2:0=f"), enable_monitoring=True
    )


NO_TIME = [{"type": "mount"}, {"type": "user"}]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"timeOffsets": {"realtime": {}}}, "linux.timeOffsets.realtime: not one of monotonic, bo"),
        ({"timeOffsets": {"monotonic": {"nanosecs": 10**9}}}, "linux.timeOffsets.monotonic.nanose"),
        ({"timeOffsets": {"monotonic": {}}, "namespaces": NO_TIME}, "linux.timeOffsets: needs a n"),
        ({"timeOffsets": {"monotonic": {}},
          "namespaces": [*NO_TIME, {"type": "time", "path": "/x"}]}, "linux.timeOffsets: needs a"),
        ({"netDevices": {"eth0": {}}, "namespaces": NO_TIME}, "linux.netDevices: unable to"),
        ({"netDevices": {"a/b": {}}}, "linux.netDevices.a/b: 'a/b' is not the name"),
        ({"netDevices": {"e%d": {}}}, "linux.netDevices.e%d: 'e%d' is not the name"),
        ({"netDevices": {"eth0": {"name": "x" * 16}}}, "linux.netDevices.eth0.name: "),
        ({"netDevices": {"eth0": {"name": "e%d%d"}}}, "linux.netDevices.eth0.name: "),
        ({"netDevices": {"eth0": {"name": ".."}}}, "linux.netDevices.eth0.name: "),
        ({"netDevices": {"eth0": {}, "eth1": {"name": "eth0"}}}, "two devices would be named 'eth"),
        ({"personality": {"domain": "BSD"}}, "linux.personality.domain: 'BSD' is not one of LINUX"),
        ({"personality": {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}},
         "linux.personality.flags[0]: 'ADDR_NO_RANDOMIZE' is not supported"),
        ({"memoryPolicy": {"mode": "MPOL_X"}}, "linux.memoryPolicy.mode: 'MPOL_X' is not one of"),
        ({"memoryPolicy": {"mode": "MPOL_BIND"}}, "linux.memoryPolicy.nodes: MPOL_BIND needs some"),
        ({"memoryPolicy": {"mode": "MPOL_LOCAL", "nodes": "0"}}, "nodes: has no meaning with MPOL"),
        ({"memoryPolicy": {"mode": "MPOL_LOCAL", "flags": ["x"]}}, "linux.memoryPolicy.flags[0]:"),
        ({"intelRdt": {"closID": "../x"}}, "linux.intelRdt.closID: '../x' is not the name of a gr"),
        ({"intelRdt": {"closID": "info"}}, "linux.intelRdt.closID: 'info' is not the name"),
        ({"intelRdt": {"memBwSchema": "MB:0=1\nL3:0=f"}}, "linux.intelRdt.memBwSchema: "),
        ({"intelRdt": {"schemata": ["L3:0=f", "x"]}}, "linux.intelRdt.schemata[1]: 'x' is not a s"),
        ({"uidMappings": []}, "linux.uidMappings: uidMappings and gidMappings need each other"),
        ({"gidMappings": []}, "linux.uidMappings: uidMappings and gidMappings need each other"),
        ({"uidMappings": [MAPPING, {**MAPPING, "hostID": 5000}]}, "uidMappings[1]: has ids of ano"),
        ({"gidMappings": [MAPPING, {**MAPPING, "containerID": 50}]}, "gidMappings[1]: has ids of"),
        ({"uidMappings": [{**MAPPING, "hostID": 2**32 - 5}]}, "linux.uidMappings[0]: goes beyond"),
        ({"uidMappings": [{"containerID": n, "hostID": n, "size": 1} for n in range(341)]},
         "linux.uidMappings: 341 mappings, the kernel takes 340"),
        ({"namespaces": [{"type": "user"}]}, "linux.namespaces: in a user namespace a mount"),
    ],
)  # fmt: skip
def test_a_wrong_field_of_linux_is_named(part: dict[str, Any], message: str) -> None:
    assert message in refusal(**part)


@given(st.sets(st.integers(0, 300)))
def test_a_list_of_numbers_reads_back(numbers: set[int]) -> None:
    text = ",".join(str(number) for number in sorted(numbers, key=lambda n: (n % 7, n)))
    assert parse_list(text, "x", 300) == tuple(sorted(numbers))


@given(st.text())
def test_any_text_is_a_list_or_an_error(text: str) -> None:
    with contextlib.suppress(SpecInvalid):
        assert all(0 <= number <= 100 for number in parse_list(text, "x", 100))


def test_what_the_kernel_makes_of_a_template() -> None:
    assert matches("eth%d", "eth10")
    assert not matches("eth%d", "eth")
    assert not matches("eth%d", "ethx")
    assert matches("eth0", "eth0")
    assert not matches("eth0", "eth00")
