"""events: statistics and lack of memory, a JSON object a line. crun has no such verb."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.conftest import DEADLINE_S, Bundle, Runtime, audited

pytestmark = pytest.mark.root

MEBIBYTE = 1 << 20


@pytest.fixture(params=["builtin", "runc"])
def teller(request: pytest.FixtureRequest, tmp_path: Path, identity: str) -> Iterator[Runtime]:
    if request.param != "builtin" and shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    yield from audited(Runtime(name=request.param, root=tmp_path / "state"), identity)


def follow(runtime: Runtime, identity: str, interval: str) -> subprocess.Popen[str]:
    argv = runtime.argv("events", "--interval", interval, identity)
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def next_event(following: subprocess.Popen[str], kind: str) -> dict[str, Any]:
    assert following.stdout is not None
    for line in following.stdout:
        event = json.loads(line)
        if event["type"] == kind:
            return event
    raise AssertionError(f"it ended without {kind}")


def test_statistics(teller: Runtime, bundle: Bundle, identity: str) -> None:
    bundle.config["linux"]["resources"] = {
        "memory": {"limit": 64 * MEBIBYTE}, "pids": {"limit": 33},
    }  # fmt: skip
    teller.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    (line,) = teller.ok("events", "--stats", identity).splitlines()
    event = json.loads(line)
    assert (event["type"], event["id"]) == ("stats", identity)
    data = event["data"]
    assert data["pids"] == {"current": 1, "limit": 33}
    assert data["memory"]["usage"]["limit"] == 64 * MEBIBYTE
    assert 0 < data["memory"]["usage"]["usage"] <= 64 * MEBIBYTE
    assert data["cpu"]["usage"]["total"] > 0
    assert {"cpuset", "blkio", "hugetlb", "intel_rdt", "network_interfaces"} <= set(data)


def test_again_and_again_until_it_ends(teller: Runtime, bundle: Bundle, identity: str) -> None:
    teller.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    with follow(teller, identity, "50ms") as following:
        next_event(following, "stats")
        next_event(following, "stats")
        teller.ok("delete", "--force", identity)
        assert following.stdout is not None
        following.stdout.read()
        assert following.wait(DEADLINE_S) == 0


def test_lack_of_memory_is_told(teller: Runtime, bundle: Bundle, identity: str) -> None:
    limit = {"limit": 16 * MEBIBYTE, "swap": 16 * MEBIBYTE}
    bundle.config["linux"]["resources"] = {"memory": limit}
    # the shell stays, what it starts keeps more in memory than there is
    script = "while [ ! -e /go ]; do sleep 0.01; done; head -c 64m /dev/zero | tail -n 1; sleep 99"
    (bundle.rootfs / "bin/tail").symlink_to("busybox")
    teller.ok("run", "--detach", "--bundle", bundle.shell(script), identity)
    with follow(teller, identity, "20ms") as following:
        # its first figures: it has begun to watch
        next_event(following, "stats")
        (bundle.rootfs / "go").touch()
        assert next_event(following, "oom") == {"type": "oom", "id": identity}
        teller.ok("delete", "--force", identity)
        assert following.stdout is not None
        following.stdout.read()


def test_of_what_does_not_run(teller: Runtime, bundle: Bundle, identity: str) -> None:
    assert "does not exist" in teller.call("events", "--stats", identity).stderr
    teller.ok("run", "--keep", "--bundle", bundle.write("/bin/true"), identity)
    done = teller.call("events", "--stats", identity)
    assert done.returncode != 0
    assert f"container with id {identity} is not running" in done.stderr
    teller.ok("delete", identity)
