"""Time namespaces: the clocks of the container, new and joined."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        not os.path.exists("/proc/self/ns/time"), reason="this kernel has no time namespaces"
    ),
]

DAY_S = 86400


def test_the_clocks_are_set_before_anybody_is_in(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "time"})
    linux["timeOffsets"] = {
        "boottime": {"secs": 10 * DAY_S},
        "monotonic": {"secs": 5 * DAY_S, "nanosecs": 7},
    }
    path = bundle.shell("cat /proc/self/timens_offsets /proc/uptime; readlink /proc/self/ns/time")
    seen = runtime.ok("run", "--bundle", path, identity).split()
    assert seen[:6] == ["monotonic", str(5 * DAY_S), "7", "boottime", str(10 * DAY_S), "0"]
    ahead = float(seen[6]) - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert 9 * DAY_S < ahead < 11 * DAY_S
    assert seen[-1] != os.readlink("/proc/self/ns/time")


def test_in_a_user_namespace_too(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    linux = bundle.config["linux"]
    linux["namespaces"] += [{"type": "time"}, {"type": "user"}]
    linux["timeOffsets"] = {"boottime": {"secs": DAY_S}}
    for kind in ("uidMappings", "gidMappings"):
        linux[kind] = [{"containerID": 0, "hostID": 0, "size": 1000}]
    path = bundle.write("/bin/cat", "/proc/self/timens_offsets")
    assert f"boottime {DAY_S} 0" in " ".join(runtime.ok("run", "--bundle", path, identity).split())


def test_a_clock_cannot_go_below_zero(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "time"})
    linux["timeOffsets"] = {"monotonic": {"secs": -(10**12)}}
    done = runtime.call("run", "--bundle", bundle.write("/bin/true"), identity)
    assert done.returncode == 1
    assert "linux.timeOffsets: numerical result out of range" in done.stderr


def test_joined_by_path_and_by_exec(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    with subprocess.Popen(
        ["unshare", "--time", "--fork", "--kill-child", "--boottime", str(DAY_S),
         "sh", "-c", "echo; exec sleep 100"],
        stdout=subprocess.PIPE,
    ) as holder:  # fmt: skip
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            path = f"/proc/{holder.pid}/ns/time_for_children"
            bundle.config["linux"]["namespaces"].append({"type": "time", "path": path})
            theirs = os.readlink(path).partition(":")[2]
            bundle_path = bundle.write("/bin/sleep", "100")
            runtime.ok("run", "--detach", "--bundle", bundle_path, identity)
            pid = runtime.state(identity)["pid"]
            assert os.readlink(f"/proc/{pid}/ns/time").partition(":")[2] == theirs
            seen = runtime.ok("exec", identity, "readlink", "/proc/self/ns/time")
            assert seen.strip().partition(":")[2] == theirs
        finally:
            holder.kill()
