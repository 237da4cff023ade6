"""A container without a cgroup, one that has cgroups of its own, and what a host does not allow."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.cgroups import paths
from runtime.cgroups.cgroup import Cgroup
from runtime.cgroups.detect import Layout, detect
from runtime.cgroups.open import open_cgroup, stored_cgroup
from runtime.errors import NotSupported
from runtime.linux import mount
from runtime.linux import namespaces as ns
from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

DISABLED = ("--cgroup-manager", "disabled")


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    made = open_cgroup(f"/stacker-managers-{os.getpid()}")
    made.create()
    yield made
    made.kill()
    made.remove()


def outcome(work: Callable[[], str]) -> str:
    """What a child says, which may change its own namespaces."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(tell, work().encode())
        except BaseException as error:
            os.write(tell, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(pid, 0)
    with os.fdopen(ready) as stream:
        return stream.read()


def test_without_a_cgroup_a_container_stays_where_its_caller_is(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    bundle.shell("sleep 600 & sleep 600")
    runtime.ok(*DISABLED, "run", "-d", "-b", str(bundle.path), identity)
    pid = runtime.state(identity)["pid"]
    own = Path("/proc/self/cgroup").read_text()
    assert Path(f"/proc/{pid}/cgroup").read_text() == own
    assert str(pid) in runtime.ok("ps", "--format", "json", identity)
    paused = runtime.call("pause", identity)
    assert paused.returncode != 0
    assert "has no cgroup" in paused.stderr
    runtime.ok("exec", identity, "/bin/true")
    runtime.ok("kill", "--all", identity, "KILL")
    runtime.await_status(identity, "stopped")
    runtime.ok("delete", identity)


def test_without_a_cgroup_a_limit_is_an_error_that_names_it(
    runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    bundle.config["linux"]["resources"] = {"pids": {"limit": 5}}
    bundle.write("/bin/true")
    refused = runtime.call(*DISABLED, "run", "-b", str(bundle.path), identity)
    assert refused.returncode != 0
    assert "linux.resources.pids.limit: needs a cgroup" in refused.stderr


def test_a_process_joins_where_the_first_one_is(cgroup: Cgroup) -> None:
    """As with a systemd inside: it moves itself down, and hands controllers on."""
    if cgroup.unified is None:
        pytest.skip("this host has no version 2 tree")
    available = Path(cgroup.unified, "cgroup.controllers").read_text().split()
    if not available:
        pytest.skip("this host's version 2 tree has no controller to hand on")
    inner = Path(cgroup.unified, "init.scope")
    inner.mkdir()
    first = os.fork()
    if first == 0:
        signal.pause()
    try:
        (inner / "cgroup.procs").write_text(str(first))
        Path(cgroup.unified, "cgroup.subtree_control").write_text(f"+{available[0]}")
        found = stored_cgroup(cgroup.to_json(), init=first)
        assert found.entry() == str(inner)
        assert stored_cgroup(cgroup.to_json()).entry() == cgroup.unified
        assert outcome(lambda: found.add_self() or Path("/proc/self/cgroup").read_text()).endswith(
            "/init.scope\n"
        )
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)


def test_below_a_threaded_cgroup_there_is_no_container(cgroup: Cgroup) -> None:
    if cgroup.unified is None:
        pytest.skip("this host has no version 2 tree")
    threaded = Path(cgroup.unified, "threaded")
    threaded.mkdir()
    (threaded / "cgroup.type").write_text("threaded")
    layout = Layout(legacy=(), unified=detect().unified)
    with pytest.raises(NotSupported, match="threaded"):
        Cgroup(legacy={}, unified=f"{threaded}/inner", layout=layout).create()


def test_read_only_mounts_are_named(cgroup: Cgroup) -> None:
    def work() -> str:
        ns.unshare(ns.CLONE_NEWNS)
        mount.mount(None, "/", None, mount.MS_REC | mount.MS_PRIVATE)
        for hierarchy in (*detect().legacy, detect().unified):
            if hierarchy is not None:
                mount.mount_setattr(-1, hierarchy.mountpoint, set_=mount.MOUNT_ATTR_RDONLY)
        open_cgroup(f"/stacker-managers-{os.getpid()}-ro").create()
        return "made"

    said = outcome(work)
    assert said.startswith("ReadOnlyHierarchy: linux.cgroupsPath: the cgroups at /")
    assert said.endswith("are mounted read-only")


def test_in_a_cgroup_namespace_paths_start_at_its_root(cgroup: Cgroup) -> None:
    """A mount that shows a part of the tree: what is made is below it."""

    def work() -> str:
        cgroup.add_self()
        ns.unshare(ns.CLONE_NEWCGROUP)
        layout = detect()
        legacy, unified = paths.directories(layout, "inner")
        return str(unified or next(iter(legacy.values())))

    assert outcome(work).endswith("/inner")


def test_device_rules_change_without_a_moment_of_denial(cgroup: Cgroup) -> None:
    directory = cgroup.legacy.get("devices")
    if directory is None:
        pytest.skip("this host has no devices controller of version 1")
    deny = {"allow": False, "access": "rwm"}
    extra = {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}
    cgroup.apply({"devices": [deny]})
    before = Path(directory, "devices.list").read_text()
    cgroup.apply({"devices": [deny, extra]})
    assert "c 10:229 rw" in Path(directory, "devices.list").read_text()
    cgroup.apply({"pids": {"limit": 10}})
    assert "c 10:229 rw" in Path(directory, "devices.list").read_text()
    cgroup.apply({"devices": [deny]})
    assert sorted(Path(directory, "devices.list").read_text().split("\n")) == sorted(
        before.split("\n")
    )
