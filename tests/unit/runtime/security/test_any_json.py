"""Limits, rules and profiles of config.json with anything in any place: understood, or refused.

A full and valid value is taken, and what stands at one place of it is replaced.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.cgroups import controllers
from runtime.cgroups.detect import Hierarchy, Layout
from runtime.cgroups.device_bpf import device_program
from runtime.cgroups.device_rules import device_rules
from runtime.cgroups.systemd.marshal import encode
from runtime.cgroups.systemd.properties import resource_properties
from runtime.cgroups.v1 import devices as lines
from runtime.cgroups.v2 import unified
from runtime.errors import RuntimeFault
from runtime.security import capabilities, rlimits
from runtime.security.seccomp.compile import compile_profile
from runtime.security.seccomp.numbers import read_numbers
from runtime.security.seccomp.profile import parse_profile

NUMBERS = read_numbers()

THROTTLE = [{"major": 8, "minor": 0, "rate": 5}]
RESOURCES: dict[str, Any] = {
    "memory": {"limit": 1, "swap": 2, "reservation": 1, "swappiness": 3, "checkBeforeUpdate": True},
    "cpu": {"shares": 2, "quota": 3, "period": 4, "burst": 1, "idle": 1, "cpus": "0", "mems": "0"},
    "pids": {"limit": 5},
    "blockIO": {
        "weight": 10,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 10, "leafWeight": 10}],
        "throttleReadBpsDevice": THROTTLE,
        "throttleWriteIOPSDevice": THROTTLE,
    },
    "hugepageLimits": [{"pageSize": "2MB", "limit": 1}],
    "rdma": {"mlx": {"hcaHandles": 1, "hcaObjects": 2}},
    "unified": {"io.max": "8:0 rbps=1"},
    "devices": [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}],
}
# what version 2 has nothing like is refused
RESOURCES_V2 = {
    **RESOURCES,
    "memory": {"limit": 1, "swap": 2, "reservation": 1, "checkBeforeUpdate": True},
    "blockIO": {"weight": 10, "weightDevice": [{"major": 8, "minor": 0, "weight": 10}]},
}
PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86"],
    "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "listenerPath": "/x",
    "syscalls": [
        {
            "names": ["read", "socket"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 5,
            "args": [{"index": 0, "value": 1, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}],
        }
    ],
}
CAPABILITIES: dict[str, Any] = {name: ["CAP_CHOWN"] for name in capabilities.SETS}
RLIMIT: dict[str, Any] = {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}

V1 = Layout(
    legacy=tuple(
        Hierarchy(mountpoint="/c", controllers=(name,), version=1, own_path="/")
        for name in controllers.V1
    ),
    unified=None,
)
V2 = Layout(
    legacy=(),
    unified=Hierarchy(mountpoint="/c", controllers=tuple(controllers.V2), version=2, own_path="/"),
)

READERS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], object]]] = {
    "v1": (RESOURCES, lambda value: controllers.plan(V1, value)),
    "v2": (RESOURCES_V2, lambda value: controllers.plan(V2, value)),
    "unified": (RESOURCES, unified.plan),
    "properties": (
        RESOURCES_V2,
        lambda value: encode("a(sv)", (resource_properties(V2, value),)),
    ),
    "lines": (RESOURCES, lambda value: lines.plan(device_rules(value), "a *:* rwm")),
    "devices": (RESOURCES, lambda value: device_program(device_rules(value))),
    "seccomp": (
        PROFILE,
        lambda value: compile_profile(parse_profile(value, "SCMP_ARCH_X86_64"), NUMBERS),
    ),
    "capabilities": (CAPABILITIES, capabilities.resolve),
    "rlimits": (RLIMIT, lambda value: rlimits.resolve([value])),
}

ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 70), 1 << 70),
        st.floats(allow_nan=False),
        st.text(max_size=6),
        st.sampled_from(["\0", "a/b", "../x", "0\n1", "SCMP_ACT_NOTIFY", "SCMP_CMP_EQ", "a"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*path, index)
            yield from places(inner, (*path, index))


def replaced(template: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(template)
    parent: Any = result
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return result


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=200, deadline=None)
@given(data=st.data(), value=ANYTHING)
def test_nothing_but_a_fault_is_raised(reader: str, data: st.DataObject, value: Any) -> None:
    template, read = READERS[reader]
    read(template)
    path = data.draw(st.sampled_from(list(places(template))))
    try:
        read(replaced(template, path, value))
    except RuntimeFault as fault:
        message = str(fault)
    else:
        return
    assert "\n" not in message
    assert message.startswith(("linux.", "process."))
