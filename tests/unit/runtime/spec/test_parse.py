"""config.json to records: what is read, what is refused, and how."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RuntimeFault, SpecInvalid
from runtime.spec.model import Mount, Namespace, User
from runtime.spec.parse import parse_spec
from runtime.spec.read import spec_of
from runtime.spec.validate import check_spec

WHOLE: dict[str, Any] = {
    "ociVersion": "1.2.0",
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "one",
    "process": {
        "args": ["/bin/true"],
        "cwd": "/work",
        "env": ["A=1", "B="],
        "terminal": True,
        "consoleSize": {"height": 25, "width": 80},
        "user": {"uid": 1, "gid": 2, "umask": 63, "additionalGids": [3, 4]},
        "rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
        "capabilities": {"bounding": ["CAP_KILL"]},
        "noNewPrivileges": True,
        "oomScoreAdj": -5,
    },
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["ro"]}],
    "hooks": {"poststop": [{"path": "/bin/true", "timeout": 3}]},
    "annotations": {"key": "value"},
    "linux": {
        "namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "network", "path": "/x"}],
        "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438}],
        "sysctl": {"net.ipv4.ip_forward": "1"},
        "maskedPaths": ["/proc/kcore"],
        "resources": {"pids": {"limit": 5}},
        "cgroupsPath": "/a/b",
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(WHOLE)
    *parents, last = path.split(".")
    part = document
    for name in parents:
        part = part[int(name)] if name.isdigit() else part[name]
    part[last] = value
    return document


def test_every_part_is_read() -> None:
    spec = parse_spec(WHOLE)
    check_spec(spec)
    process = spec.process
    assert process is not None
    assert process.user == User(uid=1, gid=2, umask=63, additional_gids=(3, 4))
    assert (process.args, process.env, process.cwd) == (("/bin/true",), ("A=1", "B="), "/work")
    assert process.console_size == (25, 80)
    assert process.oom_score_adj == -5
    assert spec.mounts == (Mount(destination="/proc", type="proc", source="proc", options=("ro",)),)
    assert spec.linux.namespaces[2] == Namespace(type="network", path="/x")
    assert spec.namespace_path("network") == "/x"
    assert spec.hooks.poststop[0].timeout == 3
    assert spec.linux.resources == {"pids": {"limit": 5}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("ociVersion", None, "ociVersion: missing"),
        ("ociVersion", "2.0.0", "ociVersion: '2.0.0' is not a 1.x version"),
        ("root", {}, "root.path: missing"),
        ("root.path", 1, "root.path: expected a string"),
        ("root.path", "a\0b", "root.path: holds a NUL character"),
        ("root.readonly", 1, "root.readonly: expected true or false"),
        ("process.args", [], "process.args: empty"),
        ("process.args", ["a", 1], "process.args[1]: expected a string"),
        ("process.cwd", "work", "process.cwd: 'work' is not an absolute path"),
        ("process.env", ["A=1", "NAME"], "process.env[1]: 'NAME' is not NAME=value"),
        ("process.env", ["=x"], "process.env[0]: '=x' is not NAME=value"),
        ("process.user.uid", -1, "process.user.uid: -1 is not between 0 and 4294967294"),
        ("process.user.uid", 2**32 - 1, "process.user.uid: 4294967295 is not between"),
        ("process.user.gid", True, "process.user.gid: expected an integer"),
        ("process.user.additionalGids", [1, -2], "process.user.additionalGids.1: -2 is not"),
        ("process.oomScoreAdj", 1001, "process.oomScoreAdj: 1001 is not between -1000 and 1000"),
        ("mounts.0.destination", None, "mounts[0].destination: missing"),
        ("mounts.0.options", "ro", "mounts[0].options: expected a list"),
        ("linux.namespaces.0.type", "nut", "linux.namespaces[0].type: 'nut' is not supported"),
        ("linux.namespaces.0.type", "uts", "linux.namespaces[0].type: uts is given twice"),
        ("linux.namespaces", [], "hostname: needs a uts namespace"),
        ("linux.namespaces.2.path", "x", "linux.namespaces[2].path: 'x' is not an absolute path"),
        ("linux.devices.0.path", "/dev/../x", "linux.devices[0].path: '/dev/../x' is not a plain"),
        ("linux.devices.0.type", "x", "linux.devices[0].type: 'x' is not one of c, b, u, p"),
        ("linux.sysctl", {"kernel.panic": "1"}, "linux.sysctl: kernel.panic would change the host"),
        ("linux.sysctl", {"net..x": "1"}, "linux.sysctl: 'net..x' is not a name"),
        ("linux.sysctl", {"net/../kernel/panic": "1"}, "linux.sysctl: 'net/../kernel/panic'"),
        ("linux.maskedPaths", ["x"], "linux.maskedPaths[0]: 'x' is not an absolute path"),
        ("linux.rootfsPropagation", "x", "linux.rootfsPropagation: 'x' is not a propagation"),
        ("hooks.poststop.0.path", "true", "hooks.poststop[0].path: 'true' is not an absolute path"),
        ("hooks.poststop.0.timeout", 0, "hooks.poststop[0].timeout: 0 is not between"),
        ("hostname", "x" * 65, "hostname: longer than 64 bytes"),
        ("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "needs a user name"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(path: str, value: object, message: str) -> None:
    document = changed(path, value)
    if path == "linux.namespaces":
        document["linux"]["namespaces"] = [{"type": "mount"}, {"type": "network"}]
    with pytest.raises(SpecInvalid) as caught:
        check_spec(parse_spec(document))
    assert message in str(caught.value)


def paths_of(document: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    here = [at] if at else []
    if isinstance(document, dict):
        return here + [p for name, one in document.items() for p in paths_of(one, (*at, name))]
    if isinstance(document, list):
        return here + [p for index, one in enumerate(document) for p in paths_of(one, (*at, index))]
    return here


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip


@given(where=st.sampled_from(paths_of(WHOLE)), value=JSON)
def test_any_mutation_is_accepted_or_refused_with_a_fault(
    where: tuple[str | int, ...], value: object
) -> None:
    document = copy.deepcopy(WHOLE)
    part: Any = document
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = value
    with contextlib.suppress(RuntimeFault):
        spec_of(json.dumps(document).encode(), "config.json")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_fault(text: bytes) -> None:
    with pytest.raises(RuntimeFault):
        spec_of(text, "config.json")
