"""update: other limits for what runs, by flags and by a document."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runtime.cgroups.detect import detect
from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root

MEBIBYTE = 1 << 20


def limits(identity: str) -> dict[str, str]:
    """What the kernel holds, by version 1's names or version 2's."""
    read: dict[str, str] = {}
    layout = detect()
    wanted = {
        "memory": ("memory.limit_in_bytes", "memory.max"),
        "pids": ("pids.max", "pids.max"),
        "cpu": ("cpu.shares", "cpu.weight"),
    }
    for controller, files in wanted.items():
        holder = layout.holder(controller)
        assert holder is not None
        place = Path(holder.mountpoint) / identity / files[holder.version - 1]
        read[controller] = place.read_text().strip()
    return read


def test_single_flags(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    any_runtime.ok("update", "--memory", str(32 * MEBIBYTE), "--pids-limit", "17", identity)
    held = limits(identity)
    assert (held["memory"], held["pids"]) == (str(32 * MEBIBYTE), "17")
    # one more does not undo the others
    any_runtime.ok("update", "--cpu-share", "512", identity)
    assert limits(identity) | {"cpu": ""} == held | {"cpu": ""}
    assert limits(identity)["cpu"] != held["cpu"]


@pytest.mark.parametrize("by_stdin", [True, False])
def test_a_document(
    any_runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path, by_stdin: bool
) -> None:
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    file = tmp_path / "resources.json"
    file.write_text(json.dumps({"memory": {"limit": 64 * MEBIBYTE}, "pids": {"limit": 9}}))
    with file.open() as stdin:
        subprocess.run(
            any_runtime.argv("update", "--resources", "-" if by_stdin else str(file), identity),
            stdin=stdin, check=True, timeout=20,
        )  # fmt: skip
    held = limits(identity)
    assert (held["memory"], held["pids"]) == (str(64 * MEBIBYTE), "9")


def test_what_holds_is_stored(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["linux"]["resources"] = {"memory": {"limit": 48 * MEBIBYTE}}
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    runtime.ok("update", "--memory-reservation", "16m", "--cpuset-cpus", "0", identity)
    stored = json.loads((runtime.root / identity / "config.json").read_text())
    assert stored["linux"]["resources"] == {
        "memory": {"limit": 48 * MEBIBYTE, "reservation": 16 * MEBIBYTE},
        "cpu": {"cpus": "0"},
    }
    assert stored["process"] == bundle.config["process"]


def test_a_refused_limit_changes_nothing(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["linux"]["resources"] = {"pids": {"limit": 11}}
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    before = (runtime.root / identity / "config.json").read_bytes()
    done = runtime.call("update", "--cpuset-cpus", "4096", "--pids-limit", "5", identity)
    assert done.returncode == 1
    assert "linux.resources.cpu.cpus" in done.stderr
    assert limits(identity)["pids"] == "11"
    assert (runtime.root / identity / "config.json").read_bytes() == before


def test_only_of_what_runs(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    assert any_runtime.call("update", "--pids-limit", "5", identity).returncode != 0
    any_runtime.ok("create", "--bundle", bundle.write("/bin/true"), identity)
    any_runtime.ok("update", "--pids-limit", "5", identity)


def test_of_one_that_has_stopped(runtime: Runtime, bundle: Bundle, identity: str) -> None:
    runtime.ok("run", "--keep", "--bundle", bundle.write("/bin/true"), identity)
    done = runtime.call("update", "--pids-limit", "5", identity)
    assert "container not running" in done.stderr
    assert runtime.call("update", identity).returncode == 64


def test_no_limit_on_memory_is_none_on_swap(
    any_runtime: Runtime, bundle: Bundle, identity: str
) -> None:
    """As in runc: together with nothing there is nothing to be limited."""
    if any_runtime.name == "crun":
        pytest.skip("crun 1.8 fails at -1 in version 1")
    memory = {"limit": 32 * MEBIBYTE, "swap": 64 * MEBIBYTE}
    bundle.config["linux"]["resources"] = {"memory": memory}
    any_runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "1000"), identity)
    any_runtime.ok("update", "--memory", "-1", identity)
    any_runtime.ok("update", "--memory", str(48 * MEBIBYTE), identity)


@pytest.mark.parametrize(("version", "limit"), [("1.0.2", "max"), ("1.3.0", "1")])
def test_a_pids_limit_of_none_means_what_it_meant(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path, version: str, limit: str
) -> None:
    """0 was no limit before version 1.3 of the specification, in `update` as in `create`."""
    bundle.config["ociVersion"] = version
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    file = tmp_path / "resources.json"
    file.write_text('{"pids": {"limit": 0}}')
    runtime.ok("update", "--resources", str(file), identity)
    assert limits(identity)["pids"] == limit
