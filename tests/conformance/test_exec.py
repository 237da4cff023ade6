"""`exec` of runc's command line: one more process of the container, as config.json's `process`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.conftest import Case

pytestmark = pytest.mark.root


def test_it_is_in_the_same_namespaces(case: Case) -> None:
    """config-linux.md, "Namespaces": every process of the container is in its namespaces."""
    pid = case.start()
    inside = case.execute("namespaces")["namespaces"]
    for file in ("pid", "net", "ipc", "uts", "mnt"):
        assert inside[file] == os.readlink(f"/proc/{pid}/ns/{file}")


def test_it_is_in_the_same_cgroup(case: Case) -> None:
    """config-linux.md, "Control groups": every process of the container is in its cgroups."""
    pid = case.start()
    inside = case.execute("read /proc/self/cgroup")["read /proc/self/cgroup"]
    # crun is started here with the version 2 tree out of sight
    legacy = [line for line in inside.splitlines() if not line.startswith("0::")]
    own = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    assert set(legacy) <= set(own)


def test_it_has_what_its_process_says(case: Case) -> None:
    """config.md, "Process": user, directory, environment, capabilities and limits."""
    case.start()
    seen = case.execute(
        "user", "cwd", "env", "capabilities", "limits", "no_new_privileges",
        user={"uid": 5, "gid": 6, "additionalGids": [7]}, cwd="/work", env=["A=1"],
        capabilities={}, rlimits=[{"type": "RLIMIT_SIGPENDING", "hard": 77, "soft": 66}],
        noNewPrivileges=True,
    )  # fmt: skip
    assert seen["user"]["uids"] == [5, 5, 5]
    assert seen["user"]["gids"] == [6, 6, 6]
    assert 7 in seen["user"]["groups"]
    assert seen["cwd"] == "/work"
    assert "A=1" in seen["env"]
    assert set(seen["capabilities"].values()) == {0}
    assert seen["limits"][11] == [66, 77]
    assert seen["no_new_privileges"] == 1


def test_its_exit_code(case: Case) -> None:
    """runtime.md, "Lifecycle": a process ends with its own code."""
    case.start()
    assert case.runtime.call("exec", case.identity, "/see", "+", "exit", "9").returncode == 9


def test_no_descriptor_of_the_runtime_is_left(case: Case) -> None:
    """runtime.md, "Create": the process is what was asked for; it has 0, 1 and 2."""
    case.start()
    assert case.execute("descriptors")["descriptors"] == [0, 1, 2]


def test_of_a_stopped_container_it_is_refused(case: Case) -> None:
    """runtime.md, "Operations": what a state does not allow MUST be an error without effect."""
    pid = case.start()
    case.runtime.ok("kill", case.identity, "KILL")
    case.reaped(pid)
    assert case.runtime.call("exec", case.identity, "/see").returncode != 0
