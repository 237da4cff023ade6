"""spec: what it writes is a config.json that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root


def test_it_runs_as_it_is(any_runtime: Runtime, bundle: Bundle, identity: str) -> None:
    any_runtime.ok("spec", "--bundle", str(bundle.path))
    bundle.config = json.loads((bundle.path / "config.json").read_text())
    bundle.config["linux"]["cgroupsPath"] = f"/{identity}"
    path = bundle.write("/bin/echo", "from the spec", terminal=False)
    assert any_runtime.ok("run", "--bundle", path, identity) == "from the spec\n"


def test_it_writes_over_nothing(any_runtime: Runtime, tmp_path: Path, identity: str) -> None:
    any_runtime.ok("spec", "--bundle", str(tmp_path))
    before = (tmp_path / "config.json").read_bytes()
    assert any_runtime.call("spec", "--bundle", str(tmp_path)).returncode != 0
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_rootless_one(any_runtime: Runtime, tmp_path: Path, identity: str) -> None:
    any_runtime.ok("spec", "--rootless", "--bundle", str(tmp_path))
    linux = json.loads((tmp_path / "config.json").read_text())["linux"]
    assert "user" in {one["type"] for one in linux["namespaces"]}
    if any_runtime.name == "crun":
        pytest.skip("crun leaves the mappings out and makes them up when it runs")
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": 0, "size": 1}]
    assert "resources" not in linux
