"""kill and delete with --regex: all containers that an expression finds (crun has it, runc not)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime, audited

pytestmark = pytest.mark.root


@pytest.fixture(params=["builtin", "crun"])
def several(request: pytest.FixtureRequest, tmp_path: Path, identity: str) -> Iterator[Runtime]:
    if request.param != "builtin" and shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    made = Runtime(name=request.param, root=tmp_path / "state")
    for runtime in audited(made, identity):
        yield runtime
        for suffix in ("-one", "-two"):
            runtime.call("delete", "--force", f"{identity}{suffix}")


def start_three(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    for suffix in ("", "-one", "-two"):
        bundle.config["linux"]["cgroupsPath"] = f"/{identity}{suffix}"
        path = bundle.write("/bin/sleep", "100")
        runtime.ok("run", "--detach", "--bundle", path, f"{identity}{suffix}")


def test_kill_reaches_all_that_match(several: Runtime, bundle: Bundle, identity: str) -> None:
    start_three(several, bundle, identity)
    several.ok("kill", "--regex", f"^{identity}-(one|two)$", "KILL")
    for suffix in ("-one", "-two"):
        several.await_status(f"{identity}{suffix}", "stopped")
    assert several.state(identity)["status"] == "running"


def test_delete_takes_all_that_match(several: Runtime, bundle: Bundle, identity: str) -> None:
    start_three(several, bundle, identity)
    several.ok("delete", "--force", "--regex", f"^{identity}-")
    assert several.ok("list", "-q").split() == [identity]


def test_one_failure_does_not_stop_the_rest(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    start_three(runtime, bundle, identity)
    runtime.ok("kill", f"{identity}-two", "KILL")
    runtime.await_status(f"{identity}-two", "stopped")
    done = runtime.call("delete", "--regex", f"^{identity}-")
    assert done.returncode == 1
    assert f"cannot delete container {identity}-one that is not stopped: running" in done.stderr
    assert runtime.ok("list", "-q").split() == [identity, f"{identity}-one"]
    runtime.ok("delete", "--force", f"{identity}-one")
    assert runtime.call("kill", "--regex", "(", "KILL").returncode == 64


def test_kill_all_takes_the_children_too(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    if any_runtime.name == "crun":
        pytest.skip("crun 1.8 does not find the freezer of a hybrid host")
    bundle.config["linux"]["namespaces"] = [
        one for one in bundle.config["linux"]["namespaces"] if one["type"] != "pid"
    ]
    path = bundle.shell("sleep 100 & sleep 101 & touch /ready; wait")
    any_runtime.ok("run", "--detach", "--bundle", path, identity)
    any_runtime.ok("kill", "--all", identity, "KILL")
    any_runtime.await_status(identity, "stopped")


def test_a_shared_pid_namespace_is_not_killed_with_one_of_its_containers(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """Without a cgroup the processes of a pid namespace are a container's, where it is its own."""
    disabled = ("--cgroup-manager", "disabled")
    bundle.config["linux"].pop("resources", None)
    path = bundle.write("/bin/sleep", "100")
    runtime.ok(*disabled, "run", "--detach", "--bundle", path, f"{identity}-one")
    try:
        pid = runtime.state(f"{identity}-one")["pid"]
        for namespace in bundle.config["linux"]["namespaces"]:
            if namespace["type"] == "pid":
                namespace["path"] = f"/proc/{pid}/ns/pid"
        path = bundle.write("/bin/sleep", "100")
        runtime.ok(*disabled, "run", "--detach", "--bundle", path, identity)
        runtime.call(*disabled, "kill", "--all", identity, "KILL")
        runtime.ok(*disabled, "delete", "--force", identity)
        assert runtime.state(f"{identity}-one")["status"] == "running"
    finally:
        runtime.ok(*disabled, "delete", "--force", f"{identity}-one")
