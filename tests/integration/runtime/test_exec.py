"""exec: what its flags change of the process, and where it runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runtime.cgroups.detect import detect
from tests.integration.runtime.conftest import Bundle, Runtime, wait_until

pytestmark = pytest.mark.root


def start(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)


def test_groups_capabilities_and_no_new_privileges(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["process"]["noNewPrivileges"] = False
    start(any_runtime, bundle, identity)
    groups = () if any_runtime.name == "crun" else ("-g", "11", "-g", "12")
    shown = any_runtime.ok(
        "exec", "--cap", "CAP_NET_RAW", "--no-new-privs", *groups, identity,
        "/bin/sh", "-c", "id -G; grep -e NoNewPrivs -e CapEff /proc/self/status",
    ).split()  # fmt: skip
    if groups:
        assert {"11", "12"} <= set(shown)
    # CAP_NET_RAW is 13; the others are the container's own
    assert int(shown[shown.index("CapEff:") + 1], 16) & 1 << 13
    assert shown[shown.index("NoNewPrivs:") + 1] == "1"


def test_in_a_cgroup_below(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    start(runtime, bundle, identity)
    holder = detect().holder("pids")
    assert holder is not None
    below = Path(holder.mountpoint) / identity / "part"
    below.mkdir()
    mine = "cat /proc/self/cgroup"
    for place in ("part", "/part", *(("pids:/part",) if holder.version == 1 else ())):
        shown = runtime.ok("exec", "--cgroup", place, identity, "/bin/sh", "-c", mine)
        lines = [line for line in shown.splitlines() if "pids" in line or holder.version == 2]
        assert lines[0].endswith("/part"), shown
    for wrong in ("nosuch", "../x", "nosuch:part", "pids,memory:part"):
        done = runtime.call("exec", "--cgroup", wrong, identity, "true")
        assert done.returncode == 255
        assert f"--cgroup {wrong}: " in done.stderr
    below.rmdir()


def test_a_paused_container_is_left_alone(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    if any_runtime.name != "runc":
        pytest.skip("see the test below")
    start(any_runtime, bundle, identity)
    any_runtime.ok("pause", identity)
    assert any_runtime.call("exec", identity, "true").returncode == 255
    any_runtime.ok("resume", identity)


def test_unless_it_is_to_be_ignored(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    start(runtime, bundle, identity)
    runtime.ok("pause", identity)
    done = runtime.call("exec", identity, "true")
    assert done.returncode == 255
    assert "cannot exec in a paused container (use --ignore-paused to override)" in done.stderr
    runtime.ok("resume", identity)
    runtime.ok("exec", "--ignore-paused", identity, "touch", "/ran")
    wait_until((bundle.rootfs / "ran").exists)


def test_descriptors_that_are_not_open(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    start(runtime, bundle, identity)
    """Who asks for many means all there are; none of the runtime's own takes their place."""
    held = os.open("/dev/null", os.O_RDONLY)
    os.dup2(held, 50, inheritable=True)
    try:
        done = runtime.call(
            "exec", "--preserve-fds", "99", identity, "/bin/ls", "/proc/self/fd", pass_fds=(50,)
        )
    finally:
        os.close(50)
        os.close(held)
    assert "--preserve-fds 99: 98 of them are not open" in done.stderr
    # the fourth is that of ls itself
    assert done.stdout.split() == ["0", "1", "2", "3", "50"]


def test_a_process_file_may_have_a_user_and_a_directory(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path
) -> None:
    start(any_runtime, bundle, identity)
    process = {
        **bundle.config["process"], "args": ["/bin/sh", "-c", "id -u; pwd"],
        "user": {"uid": 3, "gid": 4}, "cwd": "/tmp",
    }  # fmt: skip
    (tmp_path / "process.json").write_text(json.dumps(process))
    shown = any_runtime.ok("exec", "-p", str(tmp_path / "process.json"), identity)
    assert shown.split() == ["3", "/tmp"]
